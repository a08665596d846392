using RemoteExec.Scheduling;

namespace RemoteExec.Observability;

/// <summary>
/// The last finished executions, newest first, for the web page. Bounded in number and in the bytes of their
/// responses; lost at a restart.
/// </summary>
public sealed class ActionHistory(int recordsMax, long responseBytesMax)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ExecutionId, CompletedExecution> _byId = [];
    private readonly Queue<CompletedExecution> _oldestFirst = new();
    private long _responseBytes;

    public void Add(CompletedExecution completed)
    {
        lock (_lock)
        {
            if (!_byId.TryAdd(completed.Id, completed)) return;

            _oldestFirst.Enqueue(completed);
            _responseBytes += completed.Outcome.Response.Length;
            while (_oldestFirst.Count > recordsMax || _responseBytes > responseBytesMax)
            {
                var oldest = _oldestFirst.Dequeue();
                _byId.Remove(oldest.Id);
                _responseBytes -= oldest.Outcome.Response.Length;
            }
        }
    }

    public CompletedExecution? Find(ExecutionId id)
    {
        lock (_lock)
            return _byId.GetValueOrDefault(id);
    }

    /// <summary>The latest execution of the action that has this hash and size.</summary>
    public CompletedExecution? FindLatest(ReadOnlySpan<char> hash, long sizeBytes)
    {
        lock (_lock)
        {
            CompletedExecution? latest = null;
            foreach (var completed in _oldestFirst)
            {
                var action = completed.Request.Action;
                if (action.SizeBytes == sizeBytes && hash.SequenceEqual(action.Hash)) latest = completed;
            }

            return latest;
        }
    }

    public IReadOnlyList<CompletedExecution> Newest(int count)
    {
        lock (_lock)
            return [.. _oldestFirst.Reverse().Take(count)];
    }
}
