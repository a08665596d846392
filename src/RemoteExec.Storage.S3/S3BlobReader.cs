using Amazon.Runtime;
using Amazon.S3.Model;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage.S3;

/// <summary>
/// One object, asked for again from where it broke off. What is read from its beginning to its end is hashed, and its last bytes are given out
/// only if it is what its name says.
/// </summary>
internal sealed class S3BlobReader(S3BlobStore store, Digest digest, long offset) : IBlobReader
{
    // At one place. Whoever gets further may be cut off again.
    private const int CutsMax = 3;

    private readonly DigestHasher? _hasher = offset == 0 ? DigestHasher.Create(digest.Function, digest.SizeBytes) : null;
    private GetObjectResponse? _object;
    private long _offset = offset;
    private int _cuts;

    public long RemainingBytes => digest.SizeBytes - _offset;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;

        int read = await ReadPieceAsync(buffer[..(int)Math.Min(buffer.Length, RemainingBytes)], cancellationToken);
        _hasher?.Append(buffer.Span[..read]);
        if (read == RemainingBytes && _hasher is not null && _hasher.Finish() != digest)
        {
            store.Presence.Broke(digest);
            throw new RpcException(new Status(StatusCode.DataLoss, $"the object of blob {digest} is something else; it counts as missing until it is written again"));
        }

        _offset += read;
        return read;
    }

    public ValueTask DisposeAsync()
    {
        Close();
        _hasher?.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>False is a miss.</summary>
    internal async ValueTask<bool> TryOpenAsync(CancellationToken cancellationToken)
    {
        _object = await store.Objects.GetAsync(digest, _offset, cancellationToken);
        return _object is not null;
    }

    private async ValueTask<int> ReadPieceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        while (true)
        {
            Exception? cut = null;
            try
            {
                if (_object is null && !await TryOpenAsync(cancellationToken))
                    throw store.Objects.Failed("GET", "the object vanished while it was read", inner: null);

                int read = await _object!.ResponseStream.ReadAsync(buffer, cancellationToken); // opened above
                if (read > 0)
                {
                    _cuts = 0;
                    return read;
                }

                // One that is shorter than its name says ends so too.
            }
            catch (Exception broken) when (broken is IOException or HttpRequestException or AmazonClientException)
            {
                cut = broken;
            }

            Close();
            if (++_cuts > CutsMax) throw store.Objects.Failed("GET", "the object breaks off", cut);
        }
    }

    private void Close()
    {
        try
        {
            _object?.Dispose();
        }
        catch (AmazonClientException)
        {
            // The SDK compares with the ETag where that looks like an MD5. What counts is our own hash.
        }

        _object = null;
    }
}
