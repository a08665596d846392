namespace RemoteExec.Storage;

/// <summary>What an index has in one segment.</summary>
internal sealed class SegmentTally
{
    public long LivingBytes { get; set; }

    public long DataBytes { get; set; }

    /// <summary>The records that wait for a file.</summary>
    public List<SegmentRecord> Larger { get; } = [];
}
