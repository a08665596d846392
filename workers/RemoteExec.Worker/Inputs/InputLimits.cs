namespace RemoteExec.Worker;

/// <summary>
/// Budgets of an input tree. A Merkle tree of a few blobs can describe 2^n paths, so what is counted is the
/// expanded tree (TRUST 4.1).
/// </summary>
public sealed record InputLimits
{
    /// <summary>Files, directories and symlinks together, expanded.</summary>
    public int EntriesMax { get; init; } = 1_000_000;

    public int DepthMax { get; init; } = 256;

    public long BytesMax { get; init; } = 256L << 30;

    /// <summary>Of one serialised Action, Command or Directory.</summary>
    public int MessageBytesMax { get; init; } = 64 << 20;
}
