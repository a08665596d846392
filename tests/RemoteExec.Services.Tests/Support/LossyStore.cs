using System.Collections.Concurrent;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>A store that has lost what a test takes away, until it is brought again.</summary>
internal sealed class LossyStore(IBlobStore inner) : IBlobStore
{
    private readonly ConcurrentDictionary<Digest, bool> _lost = new();
    private readonly ConcurrentDictionary<Digest, Exception> _obstacles = new();

    public void Lose(params Digest[] digests)
    {
        foreach (var digest in digests) _lost[digest] = true;
    }

    public void Bring(params Digest[] digests)
    {
        foreach (var digest in digests) _lost.TryRemove(digest, out _);
    }

    /// <summary>From now on nobody can ask whether that one is there.</summary>
    public void Obstruct(Digest digest, Exception obstacle) => _obstacles[digest] = obstacle;

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        foreach (var digest in digests)
        {
            if (_obstacles.TryGetValue(digest, out var obstacle)) throw obstacle;
        }

        var missing = await inner.FindMissingAsync(digests, cancellationToken);
        return [.. missing.Union(digests.Where(_lost.ContainsKey))];
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        _lost.ContainsKey(digest) ? ValueTask.FromResult<IBlobReader?>(null) : inner.OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => inner.CreateWriterAsync(digest, cancellationToken);
}
