namespace RemoteExec.Storage;

/// <summary>Where a <see cref="DiskActionCache"/> lives and how large it may grow.</summary>
public sealed record DiskActionCacheOptions
{
    public required string Directory { get; init; }

    /// <summary>About 200 bytes of memory each.</summary>
    public int EntriesMax { get; init; } = 500_000;

    public long LimitBytes { get; init; } = 2L << 30;

    /// <summary>How exactly uses are remembered across a restart.</summary>
    public TimeSpan UseGranularity { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Replaced by tests that let it fail.</summary>
    internal IDisk Disk { get; init; } = new Disk();
}
