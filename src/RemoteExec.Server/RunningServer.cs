using Microsoft.Extensions.Logging;
using RemoteExec.Hosting;
using RemoteExec.Observability;
using RemoteExec.Scheduling;
using RemoteExec.Services;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>Everything that was started, and the order in which it ends: the reverse, after a drain.</summary>
internal sealed partial class RunningServer(ServerOptions options, TimeProvider time, ILoggerFactory logs, CancellationToken hurrying) : IProgramWork
{
    private readonly ILogger _log = logs.CreateLogger("RemoteExec.Server");
    private readonly Stack<object> _owned = new();
    private readonly CancellationTokenSource _workerDrain = new();
    private readonly Lock _showing = new();
    private Scheduler? _scheduler;
    private ServicesComposition? _services;
    private ServerPorts? _ports;
    private LocalWorker? _worker;
    private Task _working = Task.CompletedTask;
    private Func<string> _welcome = () => "";

    public ServerHealth Health { get; } = new(time);

    public string Welcome => _welcome();

    /// <summary>Called first thing when the ports are open: a start that is refused says one sentence and nothing else.</summary>
    public Action Begun { get; set; } = () => { };

    /// <summary>Takes what is to be disposed when the server ends; the last taken goes first.</summary>
    public T Own<T>(T part)
        where T : notnull
    {
        _owned.Push(part);
        return part;
    }

    /// <summary>All is composed.</summary>
    /// <param name="welcome">Asked when the ports are open.</param>
    public void Take(Scheduler? scheduler, ServicesComposition? services, ServerPorts? ports, LocalWorker? worker, Func<string> welcome) =>
        (_scheduler, _services, _ports, _worker, _welcome) = (scheduler, services, ports, worker, welcome);

    /// <summary>The scheduler has begun to refuse work, with its reason, or takes it again: one line each, and gRPC health follows readiness.</summary>
    public void SchedulerFaultChanged(string? reason)
    {
        if (reason is null) ReadyAgain();
        else NotReady(reason);
        ShowHealth();
    }

    /// <summary>Blobs cannot be stored, with the reason, or can again. Reads and hits go on, so the server stays ready.</summary>
    public void StoreFaultChanged(string? reason)
    {
        if (reason is null) StoringAgain();
        else NotStoring(reason);
    }

    /// <summary>A store on another machine counts as away, with the reason, or is back.</summary>
    public void FarStoreChanged(string name, string? reason)
    {
        if (reason is null) StorageBack(name);
        else StorageAway(name, reason);
    }

    /// <summary>Something about the operation journal went wrong that stops nothing.</summary>
    public void JournalWarned(string what) => JournalWarning(what);

    /// <summary>The ports are open: the worker joins, and the server serves until told to stop, then drains. Fails when the local worker does.</summary>
    public async Task RunAsync(CancellationToken stopping)
    {
        Begun();
        if (_worker is not null)
            _working = _worker.RunAsync(_workerDrain.Token, hurrying);
        Health.Ready(() => _scheduler?.Fault);
        ShowHealth();
        Ready(Environment.ProcessId);
        foreach (string danger in Health.Warnings) Dangerous(danger);

        var stopped = Task.Delay(Timeout.InfiniteTimeSpan, time, stopping);
        // Without a worker here there is nothing to watch but the request to stop.
        await Task.WhenAny(stopped, _worker is not null ? _working : stopped);
        if (!stopping.IsCancellationRequested)
        {
            await _working; // shows why it ended
            throw new ServerRefusedException("the local worker left although nobody asked it to; its last log lines say why");
        }

        await DrainAsync();
    }

    public async ValueTask DisposeAsync()
    {
        while (_owned.TryPop(out object? part))
        {
            if (part is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync();
            else if (part is IDisposable disposable)
                disposable.Dispose();
        }

        _workerDrain.Dispose();
    }

    /// <summary>The end, step by step: first nothing new is begun, and only when nothing runs any more does anybody have to go.</summary>
    private async Task DrainAsync()
    {
        // One limit for all of it. A part is kept for saying goodbye to who is still there when it is over, also when somebody has no patience.
        using var ending = new CancellationTokenSource(DrainTimes.EndMaxOf(options.DrainMax), time);
        using var lastCall = new CancellationTokenSource(DrainTimes.WorkMaxOf(options.DrainMax), time);
        using var hurry = hurrying.Register(() =>
        {
            ending.CancelAfter(DrainTimes.GoodbyeMax);
            lastCall.Cancel();
        });

        // Nothing is leased any more, and whoever asks is told. All else is served: what comes in is queued, for the next process.
        _scheduler?.BeginDrain();
        Draining(options.DrainMax.TotalSeconds);
        Health.Draining();
        ShowHealth();
        await _workerDrain.CancelAsync();
        await Task.WhenAll(_working, _scheduler?.WhenIdle ?? Task.CompletedTask).WaitAsync(lastCall.Token)
            .ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

        if (_working.IsCompleted && _scheduler?.WhenIdle.IsCompleted != false) DrainIdle();
        else DrainLate();

        // Who still waits for an end is told to come back for it, and so is who follows the output of what runs elsewhere.
        _scheduler?.EndFeeds();
        _services?.CloseLogs();
        if (_ports is not null) await _ports.CloseAsync(ending.Token);

        // What the local worker had to stop is handed back before the journal and the store go. It was told in good time; what does
        // not die all the same, and a disk that does not answer, are not waited for: nothing that was acknowledged hangs on them.
        await _working.WaitAsync(ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_scheduler is not null) await _scheduler.StopAsync(ending.Token);
        Stopped();
        if (_working.IsCompleted) await _working; // shows why it failed, if it did
        else WorkerLeftBehind();
    }

    // What is shown last must be what was read last.
    private void ShowHealth()
    {
        lock (_showing) _services?.SetServing(Health.IsReady);
    }

    [LoggerMessage(Level = LogLevel.Information, EventName = "ready", Message = "ready, process {Process}")]
    private partial void Ready(int process);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "dangerous_setting", Message = "{Danger}")]
    private partial void Dangerous(string danger);

    [LoggerMessage(Level = LogLevel.Error, EventName = "not_ready", Message = "not ready: {Reason}")]
    private partial void NotReady(string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "ready_again", Message = "ready again: actions are accepted and finish")]
    private partial void ReadyAgain();

    [LoggerMessage(Level = LogLevel.Error, EventName = "not_storing", Message = "blobs cannot be stored: {Reason}. Uploads and outputs are refused, reads go on; it is tried again with each upload")]
    private partial void NotStoring(string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "storing_again", Message = "blobs are stored again")]
    private partial void StoringAgain();

    [LoggerMessage(Level = LogLevel.Warning, EventName = "storage_away", Message = "{Name} is away: {Reason}. What others have is served; it is asked again from time to time")]
    private partial void StorageAway(string name, string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "storage_back", Message = "{Name} is back")]
    private partial void StorageBack(string name);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "journal_warning", Message = "{What}")]
    private partial void JournalWarning(string what);

    [LoggerMessage(Level = LogLevel.Information, EventName = "draining", Message = "draining for at most {Seconds} s")]
    private partial void Draining(double seconds);

    [LoggerMessage(Level = LogLevel.Information, EventName = "drain_idle", Message = "nothing runs any more; clients are told to come back, and the ports close")]
    private partial void DrainIdle();

    [LoggerMessage(Level = LogLevel.Warning, EventName = "drain_late", Message = "something still runs near the end of the drain limit: it is handed back and runs again; clients are told to come back, and the ports close")]
    private partial void DrainLate();

    [LoggerMessage(Level = LogLevel.Warning, EventName = "worker_left_behind", Message = "the local worker did not end within the drain limit; what it runs ends with this process and is queued again by the next")]
    private partial void WorkerLeftBehind();

    [LoggerMessage(Level = LogLevel.Information, EventName = "stopped", Message = "stopped; everything acknowledged is on disk")]
    private partial void Stopped();
}
