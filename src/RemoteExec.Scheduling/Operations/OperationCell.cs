namespace RemoteExec.Scheduling;

/// <summary>The newest durable state of one operation, and the event of its change. Who reads slowly misses states in between, never the last.</summary>
internal sealed class OperationCell(OperationSnapshot first)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _changed;
    private OperationSnapshot _current = first;
    private SchedulingException? _fault;

    public OperationSnapshot Current
    {
        get
        {
            lock (_gate) return _current;
        }
    }

    public void Publish(OperationSnapshot operation)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            _current = operation;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>Nothing more will come, and why. Who has not seen the end is told that instead.</summary>
    public void Close(SchedulingException fault)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            _fault ??= fault;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>The state, and what completes when it is no longer <paramref name="seen"/>.</summary>
    /// <exception cref="SchedulingException">It is not the end, and the end will not come here.</exception>
    public OperationSnapshot Read(OperationSnapshot? seen, out Task changed)
    {
        lock (_gate)
        {
            // A fresh one each time: many throw it, each with the trace of its own.
            if (_fault is { } fault && !_current.IsDone) throw new SchedulingException(fault.Code, fault.Message, fault.RetryAfter);

            // Continuations elsewhere: a client's stream must not run on the thread that publishes.
            changed = !ReferenceEquals(_current, seen)
                ? Task.CompletedTask
                : (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            return _current;
        }
    }
}
