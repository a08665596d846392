using System.Diagnostics;
using System.Threading.Channels;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Brings what was stored here to a store behind, in the background: a few at a time, in the order in which it came, for as long as that takes.
/// It remembers what is left over a kill. While the store behind is away it waits, and nobody who stores something waits for it.
/// </summary>
public sealed class WriteBehind : IAsyncDisposable
{
    /// <summary>Beside the pauses of a <see cref="CircuitBlobStore"/>, in which asking costs nothing.</summary>
    internal static readonly TimeSpan AwayPause = TimeSpan.FromSeconds(5);

    private readonly WriteBehindOptions _options;
    private readonly IBlobStore _from;
    private readonly IBlobStore _to;
    private readonly Lock _gate = new();
    private readonly Dictionary<Digest, Entry> _known = [];
    private readonly Channel<Digest> _waiting;
    private readonly WriteBehindLog _log;
    private readonly CancellationTokenSource _ending = new();
    private Task _running = Task.CompletedTask;
    private Task _flushing = Task.CompletedTask;
    private TaskCompletionSource? _flush; // under way
    private TaskCompletionSource? _nextFlush; // and what came since it began
    private bool _isFlushing;
    private bool _isUnflushed; // something was announced since the last flush began
    private long _brought;
    private long _dropped;

    private WriteBehind(WriteBehindOptions options, IBlobStore from, IBlobStore to)
    {
        (_options, _from, _to) = (options, from, to);
        _log = WriteBehindLog.Open(options.Directory, options.Disk, out var waiting);
        // All that was remembered, should it be more than is taken at present.
        _waiting = Channel.CreateBounded<Digest>(Math.Max(options.WaitingMax, waiting.Count));
        foreach (var digest in waiting)
        {
            _known[digest] = new Entry { IsHere = true };
            _waiting.Writer.TryWrite(digest);
        }
    }

    /// <summary>Blobs that are here and not behind yet.</summary>
    public int Waiting
    {
        get { lock (_gate) return _known.Count; }
    }

    /// <summary>Blobs that have arrived, or were there.</summary>
    public long Brought => Volatile.Read(ref _brought);

    /// <summary>Blobs that stay here only: too many were waiting, or they were gone or broken when their turn came.</summary>
    public long Dropped => Volatile.Read(ref _dropped);

    /// <summary>Opens the queue in its directory, and begins with what the last process left.</summary>
    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static WriteBehind Start(WriteBehindOptions options, IBlobStore from, IBlobStore to)
    {
        try
        {
            var behind = new WriteBehind(options, from, to);
            behind._running = Task.WhenAll(Enumerable.Range(0, options.AtOnce).Select(_ => Task.Run(behind.RunAsync)));
            return behind;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The directory of what is still to be brought to the store behind, {options.Directory}, cannot be used: {failed.Message}", failed);
        }
    }

    /// <summary>
    /// Remembers that a blob is going to be stored, before it is: a kill in between must not leave it here and unknown, nor a loss of power after
    /// <see cref="FlushAsync"/>. Then <see cref="Stored"/> or <see cref="Abandon"/> says what became of it.
    /// </summary>
    public void Announce(in Digest digest)
    {
        lock (_gate)
        {
            if (TryAdd(digest)) _known[digest] = _known[digest].With(announcers: 1);
        }
    }

    /// <summary>A blob is here: it is brought when its turn comes.</summary>
    public void Stored(in Digest digest)
    {
        lock (_gate)
        {
            if (!TryAdd(digest))
            {
                Interlocked.Increment(ref _dropped);
                return;
            }

            var entry = _known[digest].With(announcers: -1);
            _known[digest] = entry with { IsHere = true, IsAgain = entry.IsHere };
            if (!entry.IsHere) _waiting.Writer.TryWrite(digest); // there is room for all that are known
        }
    }

    /// <summary>One who announced a blob did not store it; another may have, or be about to.</summary>
    public void Abandon(in Digest digest)
    {
        lock (_gate)
        {
            if (!_known.TryGetValue(digest, out var entry)) return;

            _known[digest] = entry = entry.With(announcers: -1);
            if (entry is { IsHere: false, Announcers: 0 }) Forget(digest);
        }
    }

    /// <summary>
    /// Completes when what was announced before outlasts a loss of power. Before a blob is stored: else it could be here and unknown, and whoever uploads it again
    /// finds it present. Those who come while a flush is under way share the next one; one that fails refuses nobody anything.
    /// </summary>
    public Task FlushAsync()
    {
        lock (_gate)
        {
            if (!_isUnflushed) return _flush?.Task ?? Task.CompletedTask;

            _nextFlush ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (!_isFlushing)
            {
                _isFlushing = true;
                _flushing = Task.Run(RunFlushes);
            }

            return _nextFlush.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        Task flushing;
        lock (_gate) flushing = _flushing;
        await flushing;
        lock (_gate) _log.Dispose();
        _ending.Dispose();
    }

    private void RunFlushes()
    {
        while (TakeFlush(out var log) is { } flush)
        {
            ServingLoop.Serve(() => log?.Flush(), FlushFailed);
            log?.LetGo();
            flush.SetResult();
        }
    }

    private TaskCompletionSource? TakeFlush(out FramedLog? log)
    {
        lock (_gate)
        {
            (_flush, _nextFlush, log) = (_nextFlush, null, null);
            if (_flush is null)
            {
                _isFlushing = false;
                return null;
            }

            _isUnflushed = false;
            log = _log.HoldForFlush();
            return _flush;
        }
    }

    private void FlushFailed(Exception failure)
    {
        // What a disk says after a failed flush is not to be trusted (fsync(2)): another file, which is flushed as a whole.
        Trace.TraceWarning($"the queue to the store behind was not flushed: {failure.Message}");
        lock (_gate) _log.Rewrite(_known.Keys);
    }

    private async Task RunAsync()
    {
        // Asked without an exception: what ends the loop is told by the condition (D8).
        while (!_ending.IsCancellationRequested && await NextAsync() is { } digest)
        {
            lock (_gate) _known[digest] = _known[digest] with { IsAgain = false };
            while (!_ending.IsCancellationRequested && !await TryBringAsync(digest))
                await Task.Delay(AwayPause, _options.Time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_ending.IsCancellationRequested) return;
            lock (_gate) End(digest);
        }
    }

    /// <summary>Its turn is over; it has another when it was stored meanwhile, since what was to be brought may have been gone before that.</summary>
    private void End(in Digest digest)
    {
        var entry = _known[digest];
        if (entry.IsAgain) _waiting.Writer.TryWrite(digest);
        else if (entry.Announcers > 0) _known[digest] = entry with { IsHere = false };
        else Forget(digest);
    }

    private async Task<Digest?> NextAsync()
    {
        try
        {
            return await _waiting.Reader.ReadAsync(_ending.Token);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    /// <summary>False when it has to be tried again. That is always so but when the blob itself is at fault: whatever a store behind refuses (an outage, a
    /// bucket that is not there, rights that are lacking), somebody will mend.</summary>
    private async Task<bool> TryBringAsync(Digest digest)
    {
        bool isOver = false;
        await ServingLoop.ServeAsync(
            async () =>
            {
                long? bytes = await _from.CopyAsync(digest, _to, _ending.Token);
                Interlocked.Increment(ref bytes is null ? ref _dropped : ref _brought);
                isOver = true;
            },
            failure =>
            {
                isOver = failure is RpcException { StatusCode: StatusCode.InvalidArgument or StatusCode.DataLoss };
                if (!isOver) return;
                Interlocked.Increment(ref _dropped);
                Trace.TraceWarning($"blob {digest} was not brought to the store behind: {failure.Message}");
            });
        return isOver;
    }

    /// <summary>False when there is no room.</summary>
    private bool TryAdd(in Digest digest)
    {
        if (_known.ContainsKey(digest)) return true;
        if (_known.Count >= _options.WaitingMax) return false;

        _known[digest] = default;
        Remember(digest, isAdded: true);
        return true;
    }

    private void Forget(in Digest digest)
    {
        _known.Remove(digest);
        Remember(digest, isAdded: false);
        _log.Compact(_known.Count, _known.Keys);
    }

    private void Remember(in Digest digest, bool isAdded)
    {
        try
        {
            _log.Append(digest, isAdded);
            _isUnflushed |= isAdded;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk must not keep anybody from storing what has its room already; a kill now forgets this one, or brings it twice.
            Trace.TraceWarning($"the queue to the store behind could not be written: {failed.Message}");
        }
    }

    /// <param name="IsHere">Its turn comes, or is under way.</param>
    /// <param name="IsAgain">It was stored once more since its turn began.</param>
    /// <param name="Announcers">Who have not said yet what became of it.</param>
    private readonly record struct Entry(bool IsHere, bool IsAgain, int Announcers)
    {
        public Entry With(int announcers) => this with { Announcers = Math.Max(0, Announcers + announcers) };
    }
}
