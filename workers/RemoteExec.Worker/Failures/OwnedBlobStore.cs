using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>Says of every failure whose store it was.</summary>
internal class OwnedBlobStore(IBlobStore inner, StoreOwner owner) : IBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        OwnAsync(() => inner.FindMissingAsync(digests, cancellationToken));

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        await OwnAsync(() => inner.OpenReadAsync(digest, offset, cancellationToken)) is { } reader ? new Reader(this, reader) : null;

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        new Writer(this, await OwnAsync(() => inner.CreateWriterAsync(digest, cancellationToken)));

    protected async ValueTask<T> OwnAsync<T>(Func<ValueTask<T>> use)
    {
        try
        {
            return await use();
        }
        catch (RpcException failure) when (failure is not StoreFailure)
        {
            throw new StoreFailure(owner, failure);
        }
    }

    private async ValueTask OwnAsync(Func<ValueTask> use) => await OwnAsync(async () =>
    {
        await use();
        return true;
    });

    private sealed class Reader(OwnedBlobStore store, IBlobReader inner) : IBlobReader
    {
        public long RemainingBytes => inner.RemainingBytes;

        public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            store.OwnAsync(() => inner.ReadAsync(buffer, cancellationToken));

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class Writer(OwnedBlobStore store, IBlobWriter inner) : IBlobWriter
    {
        public long WrittenBytes => inner.WrittenBytes;

        public bool AlreadyPresent => inner.AlreadyPresent;

        public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
            store.OwnAsync(() => inner.AppendAsync(data, cancellationToken));

        public ValueTask CommitAsync(CancellationToken cancellationToken) => store.OwnAsync(() => inner.CommitAsync(cancellationToken));

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
