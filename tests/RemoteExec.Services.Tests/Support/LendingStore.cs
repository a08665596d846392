using RemoteExec.Storage;
using System.Threading.Channels;

namespace RemoteExec.Services.Tests;

/// <summary>A store that tells when a writer of its has been given back.</summary>
/// <param name="obstacle">What giving it back fails with, after it was done.</param>
internal sealed class LendingStore(IBlobStore inner, Exception? obstacle = null) : IBlobStore
{
    private readonly Channel<Digest> _givenBack = Channel.CreateUnbounded<Digest>();

    /// <summary>Completes for each of them once.</summary>
    public Task<Digest> GivenBackAsync() => _givenBack.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(digest, offset, cancellationToken);

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        new Writer(this, digest, await inner.CreateWriterAsync(digest, cancellationToken));

    private void TakeBack(Digest digest)
    {
        _givenBack.Writer.TryWrite(digest);
        if (obstacle is not null) throw obstacle;
    }

    private sealed class Writer(LendingStore store, Digest digest, IBlobWriter inner) : IBlobWriter
    {
        public long WrittenBytes => inner.WrittenBytes;

        public bool AlreadyPresent => inner.AlreadyPresent;

        public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken) => inner.AppendAsync(data, cancellationToken);

        public ValueTask CommitAsync(CancellationToken cancellationToken) => inner.CommitAsync(cancellationToken);

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            store.TakeBack(digest);
        }
    }
}
