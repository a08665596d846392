using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>The line to the coordinator, while there is one. Whoever has to be heard waits here for the next.</summary>
internal sealed class Lines
{
    private readonly Lock _lock = new();
    private TaskCompletionSource<Line> _next = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Line? _line;
    private bool _isDraining;

    /// <summary>Null while there is none.</summary>
    public Line? Current
    {
        get
        {
            lock (_lock) return _line;
        }
    }

    /// <summary>What the coordinator last said; by default before it has said anything.</summary>
    public Limits Limits { get; private set; } = Limits.Default;

    public void Open(Line line)
    {
        TaskCompletionSource<Line> awaited;
        lock (_lock)
        {
            _line = line;
            Limits = line.Limits;
            awaited = _next;
            if (_isDraining) SayDraining(line);
        }

        awaited.SetResult(line);
    }

    public void Close()
    {
        lock (_lock)
        {
            if (_line is null) return;
            _line = null;
            _next = new TaskCompletionSource<Line>(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public Task<Line> NextAsync(CancellationToken cancellationToken)
    {
        lock (_lock) return _line is { } line ? Task.FromResult(line) : _next.Task.WaitAsync(cancellationToken);
    }

    /// <summary>The worker wants to leave: whoever listens is told, now and on every line to come, before anything else.</summary>
    public void AskToDrain()
    {
        lock (_lock)
        {
            _isDraining = true;
            if (_line is not null) SayDraining(_line);
        }
    }

    /// <summary>Says it to whoever listens now; the next hello says the same to whoever listens then.</summary>
    public void Say(WorkerMessage message) => Current?.Say(message);

    private static void SayDraining(Line line) => line.Say(new WorkerMessage { DrainRequested = new DrainRequested() });
}
