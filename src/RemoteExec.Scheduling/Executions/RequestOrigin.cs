namespace RemoteExec.Scheduling;

/// <summary>Who asked, from REAPI RequestMetadata. All of it is a hint for people: a client may send anything or nothing.</summary>
public sealed record RequestOrigin
{
    public static RequestOrigin Unknown { get; } = new();

    public string ToolName { get; init; } = "";

    public string ToolInvocationId { get; init; } = "";

    public string CorrelatedInvocationsId { get; init; } = "";

    public string TargetId { get; init; } = "";

    public string ActionMnemonic { get; init; } = "";

    /// <summary>The serialised RequestMetadata as it came, handed to the worker untouched; empty when absent.</summary>
    public ReadOnlyMemory<byte> RequestMetadata { get; init; }
}
