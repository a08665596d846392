namespace RemoteExec.Scheduling;

/// <summary>The newest durable state of one operation, and the event of its change. Who reads slowly misses states in between, never the last.</summary>
internal sealed class OperationCell(OperationSnapshot first)
{
    private readonly Lock _gate = new();
    private TaskCompletionSource? _changed;
    private OperationSnapshot _current = first;
    private Exception? _fault;
    private bool _isClosed;

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

    /// <summary>Nothing more will come: forgotten, or the scheduler leaves (then <paramref name="fault"/> may say why).</summary>
    public void Close(Exception? fault)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            _isClosed = true;
            _fault ??= fault;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>The state, and what completes when it is no longer <paramref name="seen"/>.</summary>
    public OperationSnapshot Read(OperationSnapshot? seen, out bool isClosed, out Task changed)
    {
        lock (_gate)
        {
            isClosed = _isClosed;
            if (_fault is not null && !_current.IsDone) throw _fault;

            // Continuations elsewhere: a client's stream must not run on the thread that publishes.
            changed = !ReferenceEquals(_current, seen) || _isClosed
                ? Task.CompletedTask
                : (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            return _current;
        }
    }
}
