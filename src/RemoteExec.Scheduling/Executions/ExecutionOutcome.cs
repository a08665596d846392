namespace RemoteExec.Scheduling;

/// <summary>How an execution ended. The response is opaque here; only its reader and its writer know REAPI.</summary>
public sealed record ExecutionOutcome
{
    /// <summary>The code of ExecuteResponse.status. A command that ran is <see cref="OutcomeCode.Ok"/>, whatever its exit code.</summary>
    public required OutcomeCode Code { get; init; }

    /// <summary>One line for people; the message of ExecuteResponse.status when the code is not OK.</summary>
    public string Message { get; init; } = "";

    /// <summary>
    /// The serialised ExecuteResponse. Empty when the scheduler itself ended the execution: then whoever answers
    /// the client writes one from <see cref="Code"/> and <see cref="Message"/>.
    /// </summary>
    public ReadOnlyMemory<byte> Response { get; init; }

    /// <summary>What the response was made of. Not journalled, so null after a restart.</summary>
    public ResponseMessage? Written { get; init; }

    /// <summary>The result may be stored in the action cache.</summary>
    public bool IsCacheWorthy { get; init; }

    /// <summary>Whose fault it is that it did not end well; decides by <see cref="BlameRules"/> whether it is tried again.</summary>
    public Blame Blame { get; init; }

    /// <summary>The worker has said what is not so. Not journalled.</summary>
    public bool IsFalse { get; init; }

    /// <summary>
    /// The client's inputs are gone and will be made again: the attempt costs nothing, and the execution waits for them. Only where
    /// <see cref="Blame"/> is the client's. Not journalled.
    /// </summary>
    public InputHold? Hold { get; init; }

    /// <summary>The command's exit code, where there was a command.</summary>
    public int? ExitCode { get; init; }

    /// <summary>How long the worker's stages took, for metrics. Not journalled.</summary>
    public IReadOnlyList<StageDuration> Stages { get; init; } = [];
}
