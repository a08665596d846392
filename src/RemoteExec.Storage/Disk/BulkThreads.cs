using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Where large pieces are hashed and written: on threads of their own, which give way to those that answer calls. On the pool's, a hit of the action
/// cache beside an upload waits for as long as such a piece takes, and on a busy machine for its turn behind it.
/// </summary>
internal sealed class BulkThreads : IDisposable
{
    // A quarter of a call's share of a processor while calls want it, and all of it while they do not (sched(7)). It needs no privilege.
    private const int Niceness = 6;

    private readonly object _gate = new(); // a monitor: threads wait at it
    private readonly Queue<Work> _waiting = new();
    private readonly List<Thread> _threads = []; // started when there is work for them
    private int _idle;
    private bool _isOver;

    /// <summary>Done when the work is; what it throws is the caller's.</summary>
    public Task RunAsync(Action work)
    {
        var item = new Work(work);
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_isOver, this);
            _waiting.Enqueue(item);
            if (_idle < _waiting.Count && _threads.Count < Math.Max(2, Environment.ProcessorCount)) StartOne();
            Monitor.Pulse(_gate);
        }

        return item.Done.Task;
    }

    /// <summary>The same of work that has a result.</summary>
    public async Task<T> RunAsync<T>(Func<T> work)
    {
        T? result = default;
        await RunAsync(() => { result = work(); });
        return result!;
    }

    /// <summary>What waits is done first.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isOver = true;
            Monitor.PulseAll(_gate);
        }

        // Nobody starts one any more.
        foreach (var thread in _threads) thread.Join();
    }

    /// <summary>Under the gate.</summary>
    private void StartOne()
    {
        var thread = new Thread(Serve, maxStackSize: 256 << 10) { Name = "storage bulk", IsBackground = true };
        thread.Start();
        _threads.Add(thread);
    }

    private void Serve()
    {
        // Where it is refused, all are equal, as they were.
        _ = Posix.GiveWay(Niceness);
        while (TakeNext() is { } item)
        {
            if (ServingLoop.Serve(item.Do, item.Done.SetException)) item.Done.SetResult();
        }
    }

    private Work? TakeNext()
    {
        lock (_gate)
        {
            Work? next;
            while (!_waiting.TryDequeue(out next) && !_isOver)
            {
                _idle++;
                Monitor.Wait(_gate);
                _idle--;
            }

            return next;
        }
    }

    private sealed record Work(Action Do)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
