namespace RemoteExec.Worker;

/// <summary>Room for so many commands at a time. Who waits is served in the order of the coordinator's queue, in which it is still.</summary>
internal sealed class CommandSlots(int count)
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TaskCompletionSource, (int Priority, DateTimeOffset Queued, long Number)> _waiting = new();
    private int _free = count;
    private long _number;

    /// <param name="priority">Lower first.</param>
    /// <param name="queued">Then whoever was asked for earlier.</param>
    public async Task TakeAsync(int priority, DateTimeOffset queued, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_gate)
        {
            if (_free > 0)
            {
                _free--;
                return;
            }

            _waiting.Enqueue(turn, (priority, queued, _number++));
        }

        await using (cancellationToken.UnsafeRegister((_, token) => turn.TrySetCanceled(token), null)) await turn.Task;
    }

    public void Release()
    {
        lock (_gate)
        {
            while (_waiting.TryDequeue(out var next, out _))
            {
                if (next.TrySetResult()) return; // or it does not wait any more
            }

            _free++;
        }
    }
}
