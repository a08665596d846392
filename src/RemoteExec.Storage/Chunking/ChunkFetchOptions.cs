namespace RemoteExec.Storage;

/// <summary>Which blobs are fetched by their chunks, and how much of one is under way at a time.</summary>
public sealed record ChunkFetchOptions
{
    /// <summary>Below it a blob has a chunk or two, and asking for them costs more than they save.</summary>
    public long BlobBytesMin { get; init; } = 1_000_000;

    /// <summary>From which size on uploads go by their chunks, where the server splices: it reads each of them once more, which a small one is not worth.</summary>
    public long SentBytesMin { get; init; } = ChunkSendingBlobStore.BlobBytesMinDefault;

    /// <summary>Of one blob, in memory: some chunks of common size, which travel side by side.</summary>
    public int AheadBytes { get; init; } = 4 << 20;

    /// <summary>A larger one is no chunk. It would be read in one piece.</summary>
    public int ChunkBytesMax { get; init; } = 16 << 20;
}
