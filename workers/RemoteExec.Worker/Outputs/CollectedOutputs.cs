namespace RemoteExec.Worker;

/// <summary>
/// The blobs of a result, and how each of them gets into the worker's store once more: that store is a cache, which may give one up
/// for what another slot brings before it has been uploaded.
/// </summary>
internal sealed class CollectedOutputs
{
    private readonly Dictionary<Digest, Func<CancellationToken, ValueTask>> _sources = [];

    /// <summary>What the first announced place holds that is no output, if one does; the others are collected all the same.</summary>
    public Exception? Bad { get; private set; }

    /// <summary>Once each, and not the empty one: it is always present and never stored (REAPI D2).</summary>
    public IReadOnlyCollection<Digest> Digests => _sources.Keys;

    public void Add(Digest digest, Func<CancellationToken, ValueTask> storeAgain)
    {
        if (!digest.IsEmpty) _sources.TryAdd(digest, storeAgain);
    }

    /// <summary>The first is told; of ten that are wrong for one reason it is enough.</summary>
    public void Refuse(Exception bad) => Bad ??= bad;

    public ValueTask StoreAgainAsync(Digest digest, CancellationToken cancellationToken) => _sources[digest](cancellationToken);
}
