namespace RemoteExec.Storage;

/// <summary>
/// Remembers uses across a restart. Called under the index's lock, before the use counts: takes note and returns. What it throws is
/// the failure of that use alone.
/// </summary>
internal interface IUseRecorder
{
    void Record(in Digest digest, long useMs);
}

/// <summary>When a blob was used last.</summary>
internal readonly record struct BlobUse(Digest Digest, long UseMs)
{
    /// <summary>Where its record is, if somebody asked for that too.</summary>
    public BlobPlace Place { get; init; }
}
