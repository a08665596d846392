using RemoteExec.Scheduling;

namespace RemoteExec.Observability;

/// <summary>The last finished executions, newest first, for the web page. Bounded; lost at a restart.</summary>
public sealed class ActionHistory(int recordsMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ExecutionId, CompletedExecution> _byId = [];
    private readonly Queue<ExecutionId> _oldestFirst = new();

    public void Add(CompletedExecution completed)
    {
        lock (_lock)
        {
            if (_byId.TryAdd(completed.Id, completed))
                _oldestFirst.Enqueue(completed.Id);
            if (_oldestFirst.Count > recordsMax)
                _byId.Remove(_oldestFirst.Dequeue());
        }
    }

    public CompletedExecution? Find(ExecutionId id)
    {
        lock (_lock)
            return _byId.GetValueOrDefault(id);
    }

    public IReadOnlyList<CompletedExecution> Newest(int count)
    {
        lock (_lock)
            return [.. _oldestFirst.Reverse().Take(count).Select(id => _byId[id])];
    }
}
