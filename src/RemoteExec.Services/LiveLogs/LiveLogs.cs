using System.Diagnostics;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// What running actions have written so far, for those who watch. A convenience with bounds: every result brings its
/// whole output again, so a log may be cut or gone.
/// <list type="bullet">
/// <item>of one log <see cref="Limits.LiveOutputBytesMax"/> from its beginning are kept, and <see cref="Limits.LiveOutputWindowBytes"/> of its newest;</item>
/// <item>all take <see cref="ServicesOptions.LiveLogsBytesMax"/>; logs of attempts that are over go first, the oldest before others;</item>
/// <item>an attempt that is over keeps its logs for <see cref="ServicesOptions.LiveLogKeep"/>.</item>
/// </list>
/// An attempt that is tried again elsewhere starts a log of its own; the old one ends where it stands.
/// </summary>
public sealed class LiveLogs : IDisposable
{
    // What a log costs beside its bytes: two objects, a table entry.
    private const int OverheadBytes = 512;

    // No stream is so long, and no sum with it is too large for its type.
    private const long OffsetMax = long.MaxValue / 2;

    // How late it may be noticed that an attempt ended without a report: its worker vanished, or it was cancelled.
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Dictionary<(LeaseId, OutputStream), LiveLog> _logs = [];
    private readonly Queue<(LeaseId, OutputStream)> _over = new(); // in the order of OverAt
    private readonly Func<LeaseId, ExecutionRequest?> _leased;
    private readonly ServicesOptions _options;
    private readonly TimeProvider _clock;
    private readonly ITimer _sweeper;
    private long _bytes;
    private bool _isClosed;

    /// <param name="leased">What runs under a lease, null when it is over: <see cref="Scheduler.FindLease"/>.</param>
    public LiveLogs(Func<LeaseId, ExecutionRequest?> leased, ServicesOptions options, TimeProvider clock)
    {
        _leased = leased;
        _options = options;
        _clock = clock;
        _sweeper = clock.CreateTimer(
            _ => ServingLoop.Serve(Sweep, bug => Trace.TraceError($"live logs were not swept: {bug}")), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Memory taken, never more than <see cref="ServicesOptions.LiveLogsBytesMax"/> and the overhead of what runs.</summary>
    public long Bytes
    {
        get
        {
            lock (_gate) return _bytes;
        }
    }

    /// <summary>What is there now; empty when there is no such log.</summary>
    /// <param name="newestBytesMax">So much of the end, when the end does not follow the beginning.</param>
    public LogSoFar Peek(LeaseId lease, OutputStream stream, int newestBytesMax)
    {
        lock (_gate)
            return _logs.TryGetValue((lease, stream), out var log) ? log.Peek(newestBytesMax) : default;
    }

    /// <summary>Everything ends here: the coordinator leaves.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            foreach (var log in _logs.Values) log.Close();
        }
    }

    public void Dispose()
    {
        Close();
        _sweeper.Dispose();
    }

    /// <summary>
    /// Takes a piece that begins at <paramref name="offset"/> of its stream. Only the holder of a lease may be heard here.
    /// </summary>
    internal void Append(LeaseId lease, OutputStream stream, InstanceName instance, long offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            var log = FindOrAdd((lease, stream), instance);
            if (log.IsEnded || _isClosed) return;

            if (offset is < 0 or > OffsetMax)
            {
                log.Finish();
                return;
            }

            // What was there before is not taken twice. After a gap (the worker left something out, or it got lost with a connection or with
            // our memory) the newest is kept from there on.
            long known = Math.Clamp(log.LengthBytes - offset, 0, data.Length);
            data = data[(int)known..];
            if (!data.IsEmpty) Append(log, offset + known, data);
        }
    }

    /// <summary>How far a stream that somebody watches or wrote is known; null for others, and for one that takes nothing more.</summary>
    internal long? LengthOf(LeaseId lease, OutputStream stream)
    {
        lock (_gate) return _logs.TryGetValue((lease, stream), out var log) && !log.IsEnded ? log.LengthBytes : null;
    }

    /// <summary>The attempt is over; free for the many that had nothing to show.</summary>
    internal void End(LeaseId lease)
    {
        lock (_gate)
        {
            Retire((lease, OutputStream.Stdout));
            Retire((lease, OutputStream.Stderr));
        }
    }

    /// <summary>The log of that name; an attempt that has written nothing yet has an empty one. Null when it is unknown or forgotten.</summary>
    internal LiveLog? Open(LogStreamName name)
    {
        lock (_gate)
        {
            if (_isClosed) return null;
            var key = (name.Lease, name.Stream);
            var log = _logs.GetValueOrDefault(key)
                ?? (_leased(name.Lease) is { } request ? FindOrAdd(key, request.Instance) : null);
            return log?.Instance == name.Instance ? log : null;
        }
    }

    private void Append(LiveLog log, long offset, ReadOnlySpan<byte> data)
    {
        var limits = _options.Limits;
        int headBytes = log.HeadRoomFor(offset, data.Length, limits.LiveOutputBytesMax);
        int capacityBytes = log.CapacityWith(headBytes, limits.LiveOutputBytesMax, headBytes < data.Length, limits.LiveOutputWindowBytes);
        if (!MakeRoom(capacityBytes - log.CapacityBytes))
        {
            log.Finish();
            return;
        }

        _bytes += capacityBytes - log.CapacityBytes;
        log.Append(offset, data, headBytes, limits.LiveOutputWindowBytes, capacityBytes);
    }

    private LiveLog FindOrAdd((LeaseId, OutputStream) key, InstanceName instance)
    {
        if (_logs.TryGetValue(key, out var log)) return log;

        if (_logs.Count == 0) _sweeper.Change(SweepInterval, SweepInterval);
        log = new LiveLog(instance);
        _logs.Add(key, log);
        // Also when that is too much: there are two of these for each lease, and leases are bounded by slots.
        MakeRoom(OverheadBytes);
        _bytes += OverheadBytes;
        return log;
    }

    private bool MakeRoom(int bytes)
    {
        while (_bytes + bytes > _options.LiveLogsBytesMax && _over.TryDequeue(out var oldest)) Forget(oldest);
        return _bytes + bytes <= _options.LiveLogsBytesMax;
    }

    private void Retire((LeaseId, OutputStream) key)
    {
        if (!_logs.TryGetValue(key, out var log) || log.OverAt is not null) return;

        log.Finish();
        log.OverAt = _clock.GetTimestamp();
        _over.Enqueue(key);
    }

    private void Forget((LeaseId, OutputStream) key)
    {
        if (!_logs.Remove(key, out var log)) return;

        _bytes -= log.CapacityBytes + OverheadBytes;
        log.Forget();
    }

    private void RetireUnlessLeased((LeaseId Lease, OutputStream) key)
    {
        if (_leased(key.Lease) is null) Retire(key);
    }

    private static void TellUnswept(Exception bug, LeaseId lease) => Trace.TraceError($"the live log of {lease} was not swept: {bug}");

    private void Sweep()
    {
        lock (_gate)
        {
            foreach (var (key, log) in _logs)
            {
                if (log.OverAt is null) ServingLoop.Serve(() => RetireUnlessLeased(key), bug => TellUnswept(bug, key.Item1));
            }

            while (_over.TryPeek(out var oldest) && _logs[oldest].OverAt is { } overAt && _clock.GetElapsedTime(overAt) >= _options.LiveLogKeep)
                Forget(_over.Dequeue());
            if (_logs.Count == 0 && !_isClosed) _sweeper.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
