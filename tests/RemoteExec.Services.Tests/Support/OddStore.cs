using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>A store with a bug that shows at one blob.</summary>
internal sealed class OddStore(IBlobStore inner, Digest odd) : IBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        digest == odd ? throw new InvalidTimeZoneException("/a/path") : inner.OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        digest == odd ? throw new InvalidTimeZoneException("/a/path") : inner.CreateWriterAsync(digest, cancellationToken);
}
