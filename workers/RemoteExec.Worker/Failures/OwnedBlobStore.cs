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

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        var writer = await OwnAsync(() => inner.CreateWriterAsync(digest, cancellationToken));
        // What it can do must stay to be seen: an upload that cannot be resumed ends with its coordinator.
        return writer is IResumableBlobWriter resumable ? new ResumableWriter(this, resumable) : new Writer(this, writer);
    }

    public ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken) =>
        OwnAsync(() => inner.WriteManyAsync(blobs, cancellationToken));

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

    private class Writer(OwnedBlobStore store, IBlobWriter inner) : IBlobWriter
    {
        protected OwnedBlobStore Store => store;

        public long WrittenBytes => inner.WrittenBytes;

        public bool AlreadyPresent => inner.AlreadyPresent;

        public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) =>
            store.OwnAsync(() => inner.AppendAsync(data, cancellationToken));

        public ValueTask CommitAsync(CancellationToken cancellationToken) => store.OwnAsync(() => inner.CommitAsync(cancellationToken));

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }

    private sealed class ResumableWriter(OwnedBlobStore store, IResumableBlobWriter inner) : Writer(store, inner), IResumableBlobWriter
    {
        public ValueTask ResumeAsync(RpcException cut, CancellationToken cancellationToken) =>
            Store.OwnAsync(() => inner.ResumeAsync(cut, cancellationToken));
    }
}
