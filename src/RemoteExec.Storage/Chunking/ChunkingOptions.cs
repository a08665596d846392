namespace RemoteExec.Storage;

/// <summary>How large blobs are cut. The sizes are those that REAPI recommends and clients assume.</summary>
public sealed record ChunkingOptions
{
    public static ChunkingOptions Default { get; } = new();

    /// <summary>REAPI, FastCdc2020Params.avg_chunk_size_bytes.</summary>
    public int FastCdcAverageBytes { get; init; } = FastCdc2020.AverageBytesDefault;

    /// <summary>REAPI, RepMaxCdcParams.min_chunk_size_bytes.</summary>
    public int RepMaxMinBytes { get; init; } = RepMaxCdc.ChunkBytesMinDefault;

    /// <summary>REAPI, RepMaxCdcParams.horizon_size_bytes.</summary>
    public int RepMaxHorizonBytes { get; init; } = RepMaxCdc.ChunkBytesMinDefault * RepMaxCdc.HorizonPerChunkDefault;

    /// <summary>
    /// Uploads of this size or more are stored by their chunks (FastCDC), so that what they share with others is stored once. An action on this machine
    /// that wants such a blob as a file costs a copy of it.
    /// </summary>
    public long StoredFromBytes { get; init; } = long.MaxValue;

    /// <summary>Bazel's client prefers FastCDC too where both are offered.</summary>
    internal IChunker Create(ChunkingAlgorithm algorithm) => algorithm == ChunkingAlgorithm.RepMaxCdc
        ? new RepMaxCdc(RepMaxMinBytes, RepMaxHorizonBytes)
        : new FastCdc2020(FastCdcAverageBytes);
}
