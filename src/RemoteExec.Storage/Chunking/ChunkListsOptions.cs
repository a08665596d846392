using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Storage;

/// <summary>Where chunk lists are kept, and how many.</summary>
public sealed record ChunkListsOptions
{
    /// <summary>A directory of their own, made if absent; null keeps them in memory only.</summary>
    public string? Directory { get; init; }

    /// <summary>How long a list that was used is kept whatever happens: as long as the store keeps its chunks (D4).</summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(6);

    /// <summary>
    /// How long ago a blob was used last, by the store, which remembers that over restarts; null when it is not there. Left out, whatever is found at
    /// the start counts as used at that moment.
    /// </summary>
    public Func<Digest, TimeSpan?>? UnusedFor { get; init; }

    /// <summary>Of all lists together. Half a million chunks are some 150 GB of blobs, and 80 MB of memory.</summary>
    public int ChunksMax { get; init; } = 500_000;

    /// <summary>Replaced by tests that let it fail.</summary>
    [AllowNull]
    internal IDisk Disk { get; init => field = value ?? new Disk(); } = new Disk();
}
