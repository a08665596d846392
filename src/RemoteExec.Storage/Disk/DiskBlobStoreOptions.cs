using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Storage;

/// <summary>Where a <see cref="DiskBlobStore"/> lives and what it promises.</summary>
public sealed record DiskBlobStoreOptions
{
    /// <summary>A directory of the store's own, made if absent. Best on the file system that the workers' input roots are on.</summary>
    public required string Directory { get; init; }

    /// <summary>The blobs' files, and the blobs in segments, together stay below it.</summary>
    public required long LimitBytes { get; init; }

    /// <summary>
    /// How long a blob is kept after it was uploaded, reported present or read (D4). Bazel trusts what it was told
    /// for two hours and more. Buck2 trusts it for three (<c>cas_ttl_secs</c>), and then asks again for what has less than half of that left:
    /// six hours are both times together. For hits in a store that is half promised, see <see cref="RetentionRule"/>.
    /// </summary>
    public TimeSpan Retention { get; init; } = TimeSpan.FromHours(6);

    /// <summary>How exactly uses are remembered across a kill; a promise is only ever prolonged by it.</summary>
    public TimeSpan UseGranularity { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Blobs that are too large for segments, and become smaller, are stored as one zstd frame each, which compressed reads are answered with as it is. What
    /// actions of this machine link, and what is read from the middle, is plain besides. Blobs that are here already stay what they are.
    /// </summary>
    public bool CompressesAtRest { get; init; }

    /// <summary>
    /// Told each change: why nothing can be stored, in the words that clients read, and null when blobs have been stored again for a while.
    /// Returns at once.
    /// </summary>
    public Action<string?>? WriteFaultChanged { get; init; }

    /// <summary>Null: nobody watches.</summary>
    [AllowNull]
    public IBlobStoreObserver Observer { get; init => field = new GuardedBlobStoreObserver(value); } = GuardedBlobStoreObserver.Nobody;

    /// <summary>
    /// Blobs up to this size are kept in segments, many in one file: below a page a file costs more than its bytes. Until somebody wants to
    /// link one; then it is made a file too. Tests that look at files set this and <see cref="LoggedBytesMax"/> to 0.
    /// </summary>
    internal int PackedBytesMax { get; init; } = 4096;

    /// <summary>Blobs up to this size are acknowledged from a segment, and become files of their own after that: to flush each takes longer than to write it twice.</summary>
    internal int LoggedBytesMax { get; init; } = 256 << 10;

    /// <summary>When the next segment is begun.</summary>
    internal int SegmentBytes { get; init; } = 64 << 20;

    /// <summary>After a loss of power, larger blobs are hashed while they are read from their beginning, instead of before (<see cref="FirstUses"/>).</summary>
    internal long ReadTwiceBytesMax { get; init; } = 64 << 20;

    /// <summary>Replaced by tests that let it fail or count its flushes.</summary>
    internal IDisk Disk { get; init; } = new Disk();
}
