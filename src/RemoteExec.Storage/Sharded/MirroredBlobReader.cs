using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Reads from one of two stores, and goes on at the other when the one fails.</summary>
/// <param name="spare">Null when there is none any more.</param>
internal sealed class MirroredBlobReader(Digest digest, IBlobReader reader, IBlobStore? spare) : IBlobReader
{
    private IBlobReader _reader = reader;
    private IBlobStore? _spare = spare;

    public long RemainingBytes => _reader.RemainingBytes;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return await _reader.ReadAsync(buffer, cancellationToken);
        }
        catch (RpcException failure) when (_spare is not null && MirroredBlobStore.IsOfStore(failure))
        {
            var other = await _spare.OpenReadAsync(digest, digest.SizeBytes - RemainingBytes, cancellationToken);
            _spare = null;
            if (other is null) throw;
            await _reader.DisposeAsync();
            _reader = other;
        }

        return await _reader.ReadAsync(buffer, cancellationToken);
    }

    public ValueTask DisposeAsync() => _reader.DisposeAsync();
}
