using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>The store of a worker that works for another machine's: a cache of inputs, and room for what its actions make.</summary>
internal static class WorkerCache
{
    // Some large inputs at a time, of which each is there for as long as its fetching takes and the next attempt.
    private const int UnfinishedShare = 8;

    public static DiskBlobStoreOptions Options(string dataDirectory, long sizeBytes) => new()
    {
        Directory = Path.Combine(dataDirectory, "cas"),
        LimitBytes = sizeBytes,
        // It promises nothing to anybody, so it is never full of promises: what was used the longest ago goes. What an action works
        // with it has by hard links, which keep the bytes when the name here goes; so for a while the disk holds more than this limit,
        // by what the slots work with.
        Retention = TimeSpan.Zero,
    };

    /// <summary>Beside the cache: an input that fits into it must not be refused for the beginnings of others.</summary>
    public static UnfinishedBlobsOptions UnfinishedOptions(string dataDirectory, long cacheSizeBytes) => new()
    {
        Directory = Path.Combine(dataDirectory, "unfinished"),
        LimitBytes = cacheSizeBytes / UnfinishedShare,
    };
}
