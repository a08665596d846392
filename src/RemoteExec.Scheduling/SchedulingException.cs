namespace RemoteExec.Scheduling;

/// <summary>The scheduler refuses a call. This room knows no gRPC: the host turns it into a status of the same code.</summary>
public sealed class SchedulingException(OutcomeCode code, string message, TimeSpan? retryAfter = null) : Exception(message)
{
    public OutcomeCode Code { get; } = code;

    /// <summary>When it may be worth asking again (google.rpc.RetryInfo); null when asking again will not help.</summary>
    public TimeSpan? RetryAfter { get; } = retryAfter;
}
