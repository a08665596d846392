namespace RemoteExec.Worker;

/// <summary>The blobs that one result names, once each.</summary>
internal sealed class CollectedOutputs
{
    private readonly HashSet<Digest> _digests = [];

    public static CollectedOutputs None => new();

    public IReadOnlyCollection<Digest> Digests => _digests;

    public long Bytes { get; private set; }

    public void Add(Digest digest)
    {
        if (digest.IsEmpty || !_digests.Add(digest)) return;
        Bytes += digest.SizeBytes;
    }
}
