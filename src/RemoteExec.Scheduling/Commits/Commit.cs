namespace RemoteExec.Scheduling;

/// <summary>Transitions that will share one append to the journal: all that happened while the previous one was under way.</summary>
internal sealed class Commit : Transitions
{
    private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the records are durable and everyone has been told.</summary>
    public Task Done => _done.Task;

    public void Add(Transitions transitions)
    {
        Records.AddRange(transitions.Records);
        Effects.AddRange(transitions.Effects);
    }

    public void Succeed() => _done.SetResult();

    /// <summary>Nothing, if it has succeeded: then it is what comes after it that failed.</summary>
    public void Fail(Exception fault)
    {
        _done.TrySetException(fault);
        // Nobody need be waiting.
        _ = _done.Task.Exception;
    }
}
