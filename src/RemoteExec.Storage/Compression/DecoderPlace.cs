using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// One upload's hold on a decoder. While nobody waits it may take its time; while others do, it is taken from a client that sends less than
/// <see cref="BytesPerSecondMin"/>. Only the client's time counts: what the store takes for its part is not its fault.
/// </summary>
internal sealed class DecoderPlace(ZstdDecoders decoders, ZstdDecoder decoder, TimeProvider time)
{
    /// <summary>A megabit per second, and half of it lost: slower than that a large upload would not end in anybody's day.</summary>
    private const int BytesPerSecondMin = 64 << 10;

    // So much an upload gathers before it hands anything on; for the first seconds there is nothing to judge by.
    private const int UnseenBytesMax = 512 << 10;

    private readonly Lock _gate = new();
    private TimeSpan _waited; // for the client
    private long _waitingSince = time.GetTimestamp();
    private long _heardBytes;
    private bool _isBusy;
    private bool _isOver;

    /// <summary>The client has sent something: until <see cref="Rest"/> the decoder is the caller's.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED with RetryInfo: somebody else has the place.</exception>
    public ZstdDecoder Take(int bytes)
    {
        lock (_gate)
        {
            if (_isOver)
            {
                throw StorageErrors.Retriable(
                    StatusCode.ResourceExhausted,
                    $"a compressed upload came at less than {BytesPerSecondMin} bytes per second while others waited; try again", TimeSpan.FromSeconds(1));
            }

            _waited += time.GetElapsedTime(_waitingSince);
            _heardBytes += bytes;
            _isBusy = true;
            return decoder;
        }
    }

    public void Rest()
    {
        lock (_gate)
        {
            _isBusy = false;
            _waitingSince = time.GetTimestamp();
        }
    }

    /// <summary>The upload ends.</summary>
    public void Leave(bool isClean)
    {
        lock (_gate)
        {
            if (_isOver) return;
            _isOver = true;
        }

        decoders.Return(this, decoder, isClean);
    }

    /// <summary>How many bytes the client is behind; none while what it sent is being worked on.</summary>
    public double MissingBytes()
    {
        lock (_gate)
        {
            if (_isBusy || _isOver) return 0;
            return (BytesPerSecondMin * (_waited + time.GetElapsedTime(_waitingSince)).TotalSeconds) - _heardBytes - UnseenBytesMax;
        }
    }

    /// <summary>Takes the decoder from a client that is behind.</summary>
    public bool TryRevoke()
    {
        lock (_gate)
        {
            if (MissingBytes() <= 0) return false;
            _isOver = true;
        }

        decoders.Return(this, decoder, isClean: false);
        return true;
    }
}
