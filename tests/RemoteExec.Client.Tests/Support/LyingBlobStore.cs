using RemoteExec.Storage;

namespace RemoteExec.Client.Tests;

/// <summary>Answers for every digest with the blob of another one.</summary>
internal sealed class LyingBlobStore(IBlobStore inner, Digest answer) : IBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(answer, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        inner.CreateWriterAsync(digest, cancellationToken);
}
