using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// Reads messages where they lie in the connection's buffers.
/// <code>
/// | flag (1) | length (4, big-endian) | message (length) |     flag: 0 = as is, 1 = in the grpc-encoding
/// </code>
/// <see cref="Current"/> is valid until the next read. One read at a time.
/// </summary>
public sealed class MessageReader
{
    private const int HeaderBytes = 5;

    private readonly PipeReader _pipe;
    private readonly int _messageBytesMax;
    private readonly bool _isGzip;
    private readonly StallTimer? _stall;
    private SequencePosition _currentEnd;
    private bool _holdsMessage;

    internal MessageReader(PipeReader pipe, int messageBytesMax, bool isGzip, StallTimer? stall)
    {
        _pipe = pipe;
        _messageBytesMax = messageBytesMax;
        _isGzip = isGzip;
        _stall = stall;
    }

    /// <summary>The message that the last successful <see cref="MoveNextAsync"/> fetched.</summary>
    public ReadOnlySequence<byte> Current { get; private set; }

    /// <summary>Bytes of all messages so far, as they came over the wire.</summary>
    public long TotalBytes { get; private set; }

    /// <summary>Fetches the next message; false when the peer has sent its last.</summary>
    public async ValueTask<bool> MoveNextAsync(CancellationToken cancellationToken)
    {
        Release();
        while (true)
        {
            var result = await ReadAsync(cancellationToken);
            if (TryTake(result.Buffer)) return true;
            if (result.IsCompleted)
            {
                if (result.Buffer.IsEmpty) return false;
                throw Broken("the stream ends inside a message");
            }

            // Everything is examined, nothing consumed: examined bytes give the peer its window back, so a
            // message may be larger than the window.
            _pipe.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>Fetches the only message of a stream, and makes sure that nothing follows it.</summary>
    internal async ValueTask ReadSingleAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var result = await ReadAsync(cancellationToken);
            if (result.IsCompleted)
            {
                if (!TryTake(result.Buffer)) throw Broken(result.Buffer.IsEmpty ? "no message where one was expected" : "the stream ends inside a message");
                if (!result.Buffer.Slice(_currentEnd).IsEmpty) throw MoreThanOne();
                return;
            }

            // The message is taken with the end of the stream: usually that is the same read. Until then only its
            // length is looked at.
            if (TryReadHeader(result.Buffer, out int lengthBytes, out _) && result.Buffer.Length > HeaderBytes + lengthBytes) throw MoreThanOne();
            _pipe.AdvanceTo(result.Buffer.Start, result.Buffer.End);
        }
    }

    /// <summary>Gives the memory of <see cref="Current"/> back.</summary>
    internal void Release()
    {
        if (!_holdsMessage) return;
        _holdsMessage = false;
        Current = default;
        _pipe.AdvanceTo(_currentEnd);
    }

    /// <summary>Gives all memory back; nothing is read any more.</summary>
    internal void Complete()
    {
        Release();
        _pipe.Complete();
    }

    private static RpcException MoreThanOne() => Broken("more than one message where one was expected");

    private static RpcException Broken(string detail) => new(new Status(StatusCode.Internal, detail));

    private ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken)
    {
        var read = _pipe.ReadAsync(cancellationToken);
        if (!read.IsCompletedSuccessfully) return WaitAsync(read);
        var result = read.Result;
        return result.IsCanceled ? WaitAsync(new ValueTask<ReadResult>(result)) : new ValueTask<ReadResult>(result);
    }

    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read)
    {
        ReadResult result;
        _stall?.Arm();
        try
        {
            result = await read;
        }
        finally
        {
            _stall?.Disarm(); // a wait that was cancelled is over as well
        }

        if (!result.IsCanceled) return result;
        if (_stall is { HasFired: true }) // the idle limit, not the deadline
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, "the client has sent nothing for too long"));
        throw new OperationCanceledException("the call ended during a read");
    }

    private bool TryTake(in ReadOnlySequence<byte> buffer)
    {
        if (!TryReadHeader(buffer, out int lengthBytes, out bool isCompressed) || buffer.Length - HeaderBytes < lengthBytes) return false;

        var message = buffer.Slice(HeaderBytes, lengthBytes);
        _currentEnd = message.End;
        _holdsMessage = true;
        TotalBytes += lengthBytes;
        Current = isCompressed ? GzipMessages.Decompress(message, _messageBytesMax) : message;
        return true;
    }

    private bool TryReadHeader(in ReadOnlySequence<byte> buffer, out int lengthBytes, out bool isCompressed)
    {
        lengthBytes = 0;
        isCompressed = false;
        if (buffer.Length < HeaderBytes) return false;

        Span<byte> header = stackalloc byte[HeaderBytes];
        buffer.Slice(0, HeaderBytes).CopyTo(header);
        uint announcedBytes = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);
        if (header[0] > 1) throw Broken($"compressed flag is {header[0]}");
        if (header[0] == 1 && !_isGzip) throw Broken("compressed message in a stream without grpc-encoding");
        // Refuse on the announcement: waiting for the bytes would let a peer fill our memory.
        if (announcedBytes > (uint)_messageBytesMax)
            throw new RpcException(new Status(StatusCode.ResourceExhausted,
                $"message of {announcedBytes} bytes is over the limit of {_messageBytesMax}"));
        lengthBytes = (int)announcedBytes;
        isCompressed = header[0] == 1;
        return true;
    }
}
