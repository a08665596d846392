using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Shows what commands write while they run (worker.proto, LiveOutput). One timer serves all of them, and each piece is
/// read back from the log that holds it: a command that is over within a moment costs an entry in a list, and one that
/// writes much is not kept twice. Of one that writes more for a while the newest is shown. Nobody waits for any of this: who watches gets less when the coordinator takes its time, and a log
/// that cannot be read is no longer shown.
/// </summary>
internal sealed class LiveOutputs : IAsyncDisposable
{
    // Nobody starts to watch an action that is over within this, and most are.
    private static readonly TimeSpan SilenceMin = TimeSpan.FromMilliseconds(200);

    // What a person takes for at once.
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    // A coordinator that does not take a piece for so long is asked again later, on a call of its own.
    private static readonly TimeSpan SendMax = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PauseAfterFailure = TimeSpan.FromSeconds(1);

    // Some seconds behind. A command that writes faster than that is caught up with has no reader who keeps up.
    private const int BackBytesMax = 16 << 20;

    // What commands that are over had not shown yet. Their results bring it anyway.
    private const int LastWordsBytesMax = 4 << 20;

    private readonly Lock _gate = new();
    private readonly List<Entry> _running = []; // as many as the worker has slots
    private readonly Queue<LeaseOutput> _lastWords = new();
    private readonly CancellationTokenSource _end = new();
    private readonly string _worker;
    private readonly Lines _lines;
    private readonly TimeProvider _time;
    private readonly ITimer _timer;
    private Task _round = Task.CompletedTask;
    private int _lastWordsBytes;
    private bool _isTicking;

    public LiveOutputs(string worker, Lines lines, TimeProvider time)
    {
        _worker = worker;
        _lines = lines;
        _time = time;
        _timer = time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    public void Enter(CommandRun run, LeaseId lease)
    {
        lock (_gate)
        {
            _running.Add(new Entry(run, lease, _time.GetTimestamp()));
            if (!_isTicking) TickIn(Interval);
        }
    }

    /// <summary>The command is over. What it has not shown yet is shown if there is room for it; its logs are not read after this returns.</summary>
    public void Leave(CommandRun run)
    {
        Entry entry;
        lock (_gate)
        {
            int index = 0; // not FindIndex: it would allocate, for each action
            while (_running[index].Run != run) index++;
            entry = _running[index];
            _running.RemoveAt(index);
        }

        if (!IsDue(entry)) return;
        Keep(entry, OutputStream.Stdout);
        Keep(entry, OutputStream.Stderr);
    }

    public async ValueTask DisposeAsync()
    {
        Task round;
        await _end.CancelAsync();
        await _timer.DisposeAsync();
        lock (_gate) round = _round;
        await round;
        _end.Dispose();
    }

    private void Keep(Entry entry, OutputStream stream)
    {
        // What cannot be read now will be missed by the result, and told there.
        ServingLoop.Serve(
            () =>
            {
                while (TakePiece(entry, stream, isOver: true) is { } piece)
                {
                    lock (_gate)
                    {
                        if (_lastWordsBytes + piece.Data.Length > LastWordsBytesMax) return;
                        _lastWordsBytes += piece.Data.Length;
                        _lastWords.Enqueue(piece);
                        if (!_isTicking) TickIn(TimeSpan.Zero);
                    }
                }
            },
            _ => { });
    }

    private void Tick()
    {
        lock (_gate)
        {
            if (_end.IsCancellationRequested) return;
            // On the pool, not under the lock. One at a time: the next tick is ordered at the end of this round.
            _round = Task.Run(SendRoundAsync);
        }
    }

    // A coordinator that takes its time holds up the round, and what is written meanwhile goes in fewer pieces.
    private async Task SendRoundAsync()
    {
        bool isWell = true;
        if (_lines.Current is { } line)
            isWell = await ServingLoop.ServeAsync(() => SendRoundAsync(line), _ => { });

        lock (_gate)
        {
            _isTicking = false;
            if (_running.Count > 0 || _lastWords.Count > 0) TickIn(isWell ? Interval : PauseAfterFailure);
        }
    }

    private async ValueTask SendRoundAsync(Line line)
    {
        while (NextLastWords() is { } piece) await SendAsync(line, piece);
        foreach (var entry in Due())
        {
            await SendAsync(line, entry, OutputStream.Stdout);
            await SendAsync(line, entry, OutputStream.Stderr);
        }
    }

    private async ValueTask SendAsync(Line line, Entry entry, OutputStream stream)
    {
        // What is written faster than this is caught up with in the next rounds: none holds up the others.
        long bytesMax = _lines.Limits.LiveOutputRoundBytesMax;
        for (long sent = 0; sent < bytesMax && NextPiece(entry, stream) is { } piece; sent += piece.Data.Length)
        {
            try
            {
                await SendAsync(line, piece);
            }
            catch
            {
                // Sent again by the next round. Nothing is taken twice on the other side.
                LogOf(entry.Run, stream).Unshow(piece.Offset);
                throw;
            }
        }
    }

    private async ValueTask SendAsync(Line line, LeaseOutput piece)
    {
        using var late = new CancellationTokenSource(SendMax, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, _end.Token);
        await line.ShowAsync(piece, either.Token);
    }

    /// <summary>A log that cannot be read is shown no further; the others are.</summary>
    private LeaseOutput? NextPiece(Entry entry, OutputStream stream)
    {
        LeaseOutput? piece = null;
        ServingLoop.Serve(() => piece = TakePiece(entry, stream, isOver: false), _ => LogOf(entry.Run, stream).StopShowing());
        return piece;
    }

    private LeaseOutput? TakePiece(Entry entry, OutputStream stream, bool isOver)
    {
        var limits = _lines.Limits;
        byte[] bytes = LogOf(entry.Run, stream).TakeUnshown(
            limits.LiveOutputPieceBytesMax, BackBytesMax, limits.LiveOutputRoundBytesMax, isOver, out long offset);
        return bytes.Length == 0 ? null : new LeaseOutput
        {
            WorkerId = _worker,
            Lease = entry.Lease,
            Stream = stream == OutputStream.Stdout ? LeaseOutput.Types.Stream.Stdout : LeaseOutput.Types.Stream.Stderr,
            Offset = offset,
            Data = UnsafeByteOperations.UnsafeWrap(bytes),
        };
    }

    private LeaseOutput? NextLastWords()
    {
        lock (_gate)
        {
            if (!_lastWords.TryDequeue(out var piece)) return null;
            _lastWordsBytes -= piece.Data.Length;
            return piece;
        }
    }

    private List<Entry> Due()
    {
        lock (_gate) return _running.FindAll(IsDue);
    }

    private void TickIn(TimeSpan wait)
    {
        if (_end.IsCancellationRequested) return;
        _isTicking = true;
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private bool IsDue(Entry entry) => _time.GetElapsedTime(entry.Since) >= SilenceMin;

    private static ActionLog LogOf(CommandRun run, OutputStream stream) => stream == OutputStream.Stdout ? run.Stdout : run.Stderr;

    private readonly record struct Entry(CommandRun Run, LeaseId Lease, long Since);
}
