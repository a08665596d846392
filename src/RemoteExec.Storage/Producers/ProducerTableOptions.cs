namespace RemoteExec.Storage;

/// <summary>Where a <see cref="ProducerTable"/> is kept, and how much of it.</summary>
public sealed record ProducerTableOptions
{
    /// <summary>A directory of its own, made if absent; null keeps it in memory only.</summary>
    public string? Directory { get; init; }

    /// <summary>
    /// Outputs that are remembered at most; between the half of it and all of it when it is full. A hundred bytes of memory each where every
    /// action makes one, 45 where each makes twenty; 75 and 20 on disk.
    /// </summary>
    public int EntriesMax { get; init; } = 1_000_000;

    /// <summary>Replaced by tests that let it fail.</summary>
    internal IDisk Disk { get; init; } = new Disk();
}
