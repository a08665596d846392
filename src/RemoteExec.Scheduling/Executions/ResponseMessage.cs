namespace RemoteExec.Scheduling;

/// <summary>
/// The message that an <see cref="ExecutionOutcome.Response"/> was made of, as opaque here as its bytes: the completion hook, which runs
/// in the process that made them, need not read them again. It is taken once, so that it does not live as long as the outcome.
/// </summary>
public sealed class ResponseMessage(object message)
{
    private object? _message = message;

    /// <summary>Null for everybody but the first.</summary>
    public object? Take() => Interlocked.Exchange(ref _message, null);
}
