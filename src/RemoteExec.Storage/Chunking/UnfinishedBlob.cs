using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>What <see cref="UnfinishedBlobs"/> knows of one blob; all of it under its lock.</summary>
internal sealed class UnfinishedBlob(Digest digest, string path, long foundBytes)
{
    public Digest Digest => digest;

    public string Path => path;

    /// <summary>The length that an earlier process left the file with, all of which counts, holes or not.</summary>
    public long FoundBytes { get; } = foundBytes;

    /// <summary>What counts.</summary>
    public long Bytes { get; set; } = foundBytes;

    /// <summary>Beyond it nothing was written.</summary>
    public long EndBytes { get; set; } = foundBytes;

    /// <summary>Where chunks were written or found by this process, and how many bytes were counted for each.</summary>
    public Dictionary<long, long> Places { get; } = [];

    /// <summary>How many are fetching it; while nobody is, it may be evicted.</summary>
    public int Fetchers { get; set; }

    /// <summary>The blob is stored, or the disk refused this: it goes with the last who fetches it.</summary>
    public bool IsOver { get; set; }

    /// <summary>Open while somebody fetches the blob, from the first need on.</summary>
    public SafeFileHandle? File { get; set; }
}
