using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <summary>
/// Every execution in the sets and counts that follow from its state. They must never hold what has changed, so an execution changes
/// only while it is taken out: <code>using (_filing.TakeOut(execution)) execution.Start(waited, now);</code>
/// </summary>
internal sealed class Filing
{
    public int Queued { get; private set; }

    public int Leased { get; private set; }

    public int Running { get; private set; }

    /// <summary>In the order in which they came.</summary>
    public LinkedList<Execution> All { get; } = new();

    public void Add(Execution execution)
    {
        All.AddLast(execution.Node);
        execution.Queue.Live++;
        Enter(execution);
    }

    /// <summary>Completed and forgotten.</summary>
    public void Remove(Execution execution) => All.Remove(execution.Node);

    public Change TakeOut(Execution execution)
    {
        Leave(execution);
        return new Change(this, execution);
    }

    private void Leave(Execution execution)
    {
        var queue = execution.Queue;
        execution.IsFiled = false;
        switch (execution.State)
        {
            case ExecutionState.Queued:
                queue.Queued.Remove(execution);
                queue.Waiting.Remove(execution);
                Queued--;
                break;
            case ExecutionState.Leased:
                queue.Leased--;
                Leased--;
                if (execution.IsAhead) LeaveRoom(execution, execution.Holder!); // leased
                break;
            case ExecutionState.Running:
                queue.Running--;
                Running--;
                break;
            default:
                throw new UnreachableException("what is completed does not change");
        }
    }

    private void Enter(Execution execution)
    {
        var queue = execution.Queue;
        execution.IsFiled = true;
        switch (execution.State)
        {
            case ExecutionState.Queued:
                queue.Queued.Add(execution);
                if (execution.NotBefore is null) queue.Waiting.Add(execution);
                Queued++;
                break;
            case ExecutionState.Leased:
                queue.Leased++;
                Leased++;
                if (execution.IsAhead) EnterRoom(execution, execution.Holder!); // leased
                break;
            case ExecutionState.Running:
                queue.Running++;
                Running++;
                break;
            default:
                queue.Live--;
                break;
        }
    }

    private static void EnterRoom(Execution execution, Worker holder)
    {
        holder.Ahead.Add(execution);
        if (!execution.IsRecalled) execution.Queue.Ahead.Add(execution);
    }

    private static void LeaveRoom(Execution execution, Worker holder)
    {
        holder.Ahead.Remove(execution);
        execution.Queue.Ahead.Remove(execution);
    }

    /// <summary>The execution is in no set until this is disposed.</summary>
    public readonly ref struct Change(Filing filing, Execution execution) : IDisposable
    {
        public void Dispose() => filing.Enter(execution);
    }
}
