namespace RemoteExec.Worker;

/// <summary>What one action may leave behind, beside the limits of trees; beyond it the action fails with RESOURCE_EXHAUSTED.</summary>
public sealed record OutputLimits
{
    /// <summary>All files together.</summary>
    public long BytesMax { get; init; } = 64L << 30;

    /// <summary>Of stdout, and of stderr: head and tail, half of it each. What was between them is dropped, and the result's message says so.</summary>
    public long LogBytesMax { get; init; } = 64L << 20;

    /// <summary>
    /// Logs up to this size travel in the result itself; a larger one is a blob. One page: it holds most
    /// compiler diagnostics, and costs no write to disk.
    /// </summary>
    public int InlineLogBytesMax { get; init; } = 4096;
}
