using Google.Protobuf;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// Shows what commands write while they run (worker.proto, LeaseOutput). One timer serves all of them, and each piece is
/// read back from the log that holds it: a command that is over within a moment costs an entry in a list, and one that
/// writes much is not kept twice.
/// </summary>
internal sealed class LiveOutputs : IAsyncDisposable
{
    // Nobody starts to watch an action that is over within this, and most are.
    private static readonly TimeSpan SilenceMin = TimeSpan.FromMilliseconds(200);

    // What a person takes for at once.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    private const int PieceBytesMax = 64 * 1024;
    private const int StreamBytesMax = 1024 * 1024;

    private readonly Lock _gate = new();
    private readonly List<Entry> _running = []; // as many as the worker has slots
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private Task _round = Task.CompletedTask;
    private bool _isTicking;
    private bool _isDisposed;

    public LiveOutputs(TimeProvider time)
    {
        _time = time;
        _timer = time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Enter(CommandRun run, LeaseId lease, ILeaseReporter reporter)
    {
        lock (_gate)
        {
            _running.Add(new Entry(run, lease, reporter, _time.GetTimestamp()));
            if (!_isTicking) TickLater();
        }
    }

    /// <summary>Sends what a command that ran for a while has not shown yet. Nothing of it is sent after this returns.</summary>
    public ValueTask LeaveAsync(CommandRun run)
    {
        Entry entry;
        Task round;
        lock (_gate)
        {
            int index = 0; // not FindIndex: it would allocate, for each action
            while (_running[index].Run != run) index++;
            entry = _running[index];
            _running.RemoveAt(index);
            round = _round;
        }

        // Not due now is not due in a round that began before now.
        return IsDue(entry) ? SendAfterAsync(round, entry) : ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        Task round;
        lock (_gate)
        {
            _isDisposed = true;
            round = _round;
        }

        await _timer.DisposeAsync();
        await round;
    }

    private void Tick()
    {
        lock (_gate)
        {
            if (_isDisposed) return;
            // On the pool, not under the lock. One at a time: the next tick is ordered at the end of this round.
            _round = Task.Run(SendRoundAsync);
        }
    }

    // A coordinator that takes its time holds up the round, and what is written meanwhile goes in fewer pieces.
    private async Task SendRoundAsync()
    {
        foreach (var entry in Due()) await SendAsync(entry);
        lock (_gate)
        {
            _isTicking = false;
            if (_running.Count > 0) TickLater();
        }
    }

    private List<Entry> Due()
    {
        lock (_gate) return _running.FindAll(IsDue);
    }

    private void TickLater()
    {
        if (_isDisposed) return;
        _isTicking = true;
        _timer.Change(Interval, Timeout.InfiniteTimeSpan);
    }

    private bool IsDue(Entry entry) => _time.GetElapsedTime(entry.Since) >= SilenceMin;

    private static async ValueTask SendAfterAsync(Task round, Entry entry)
    {
        await round;
        await SendAsync(entry);
    }

    private static async ValueTask SendAsync(Entry entry)
    {
        await SendAsync(entry, LeaseOutput.Types.Stream.Stdout, entry.Run.Stdout);
        await SendAsync(entry, LeaseOutput.Types.Stream.Stderr, entry.Run.Stderr);
    }

    private static async ValueTask SendAsync(Entry entry, LeaseOutput.Types.Stream stream, ActionLog log)
    {
        while (log.ShownBytes < StreamBytesMax
            && log.Read(log.ShownBytes, (int)Math.Min(PieceBytesMax, StreamBytesMax - log.ShownBytes)) is { Length: > 0 } piece)
        {
            var output = new LeaseOutput
            {
                Lease = entry.Lease, Stream = stream, Offset = log.ShownBytes, Data = UnsafeByteOperations.UnsafeWrap(piece),
            };
            log.ShownBytes += piece.Length;
            // Not the attempt's token: a message cut off halfway would take the connection with it.
            await entry.Reporter.OutputAsync(output, CancellationToken.None);
        }
    }

    private readonly record struct Entry(CommandRun Run, LeaseId Lease, ILeaseReporter Reporter, long Since);
}
