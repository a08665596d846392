using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// The logs that clients make and write (build.bazel.remote.logstream.v1): in memory like those of running actions, and for as long after their end, but
/// whole; a server that starts again knows none of them.
/// <code>
/// open -> final (its writer said so, or was silent for too long) -> forgotten, when nobody reads it any more
/// </code>
/// <list type="bullet">
/// <item>one has <see cref="ServicesOptions.LogStreamBytesMax"/>, all take <see cref="ServicesOptions.LogStreamsBytesMax"/>, there are <see cref="ServicesOptions.LogStreamsMax"/>;</item>
/// <item>a connection has a quarter of their number and half of the memory, which is never less than one log: whoever makes more of them does so at the cost of his own;</item>
/// <item>where one more finds no room the oldest final one goes, if possible one that nobody reads, then of those that no call has written for
/// <see cref="ServicesOptions.LiveLogKeep"/> the one that was silent for longest. Who reads one that goes is told, and does not take it for whole.</item>
/// </list>
/// Two writers of one log are told apart by nothing but the offset: whoever writes at the committed end goes on.
/// </summary>
internal sealed class WrittenLogs : IDisposable
{
    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, WrittenLog> _logs = [];
    private readonly LinkedList<WrittenLog> _open = []; // the longest silent one first
    private readonly LinkedList<WrittenLog> _final = []; // in the order in which they ended
    private readonly LogShares _shares = new();
    private readonly CancellationTokenSource _closing = new();
    private readonly ServicesOptions _options;
    private readonly TimeProvider _clock;
    private readonly ITimer _sweeper;
    private long _bytes;

    public WrittenLogs(ServicesOptions options, TimeProvider clock)
    {
        _options = options;
        _clock = clock;
        _sweeper = clock.CreateTimer(
            _ => ServingLoop.Serve(Sweep, bug => Trace.TraceError($"written logs were not swept: {bug}")), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Fires when the server leaves.</summary>
    public CancellationToken Closing => _closing.Token;

    /// <summary>How long a writer may say nothing.</summary>
    public TimeSpan SilenceMax => _options.LogStreamSilenceMax;

    /// <summary>Memory for what was written, never more than <see cref="ServicesOptions.LogStreamsBytesMax"/>. What logs cost beside it, a KiB each, their number bounds.</summary>
    public long Bytes
    {
        get { lock (_gate) return _bytes; }
    }

    private int LogsShare => Math.Max(1, _options.LogStreamsMax / 4);

    // A quarter would be no more than one log with the defaults, and a build writes several at a time.
    private long BytesShare => Math.Max(_options.LogStreamBytesMax, _options.LogStreamsBytesMax / 2);

    /// <exception cref="Grpc.Core.RpcException">RESOURCE_EXHAUSTED: there are too many, or too many of this connection.</exception>
    public WrittenLog Create(InstanceName instance, string connection)
    {
        lock (_gate)
        {
            if (_closing.IsCancellationRequested) throw Leaving();
            if (_shares.Of(connection).Logs >= LogsShare && !TryForgetOne(connection))
                throw RpcErrors.Exhausted($"{LogsShare} log streams of this connection are written already, of {_options.LogStreamsMax} in all");
            if (_logs.Count >= _options.LogStreamsMax && !TryForgetOne(ofConnection: null))
                throw RpcErrors.Exhausted($"{_options.LogStreamsMax} log streams are written already");

            if (_logs.Count == 0) _sweeper.Change(SweepInterval, SweepInterval);
            var log = new WrittenLog(new WrittenLogName(instance, WrittenLogName.NewPart()), connection);
            _logs.Add(log.Name.Id, log);
            _shares.Add(connection, logs: 1, bytes: 0);
            Put(log, _open);
            log.LeftAt = log.HeardAt;
            return log;
        }
    }

    /// <summary>For a reader, who says by <see cref="LeaveReader"/> when it has left; null when it is unknown or forgotten.</summary>
    public WrittenLog? OpenToRead(string resourceName)
    {
        if (!WrittenLogName.TryParse(resourceName, out var name)) return null;
        lock (_gate)
        {
            if (!_logs.TryGetValue(name.Id, out var log) || log.Name != name) return null;

            log.Readers++;
            return log;
        }
    }

    public void LeaveReader(WrittenLog log)
    {
        lock (_gate) log.Readers--;
    }

    /// <exception cref="Grpc.Core.RpcException">NOT_FOUND. A wrong token is like a wrong name: nobody learns which of them he has found.</exception>
    public WrittenLog Find(string writeName)
    {
        lock (_gate) return FindToWrite(writeName) ?? throw Unknown();
    }

    /// <summary>For a writer, who says by <see cref="LeaveWriter"/> when it has left: until then its log is not taken for a silent one.</summary>
    /// <exception cref="Grpc.Core.RpcException">NOT_FOUND.</exception>
    public WrittenLog OpenToWrite(string writeName)
    {
        lock (_gate)
        {
            var log = FindToWrite(writeName) ?? throw Unknown();
            log.Writers++;
            return log;
        }
    }

    public void LeaveWriter(WrittenLog log)
    {
        lock (_gate)
        {
            log.Writers--;
            log.LeftAt = _clock.GetTimestamp(); // its connection may be lost: it has time to come back
        }
    }

    /// <summary>Takes what follows the committed bytes, all of it or nothing.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: it does not follow them, or is too much; RESOURCE_EXHAUSTED.</exception>
    public void Append(WrittenLog log, long offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            Check(log, offset);
            if (data.IsEmpty && log.Bytes.IsEnded) return; // its writer may not have heard that it is final
            if (log.Bytes.IsEnded) throw RpcErrors.Invalid("the log stream is final: nothing is written behind its end");
            if (offset + data.Length > _options.LogStreamBytesMax)
                throw RpcErrors.Invalid($"the log stream would have {offset + data.Length} bytes, of which this server keeps {_options.LogStreamBytesMax} (--log-stream-size-max)");

            Put(log, _open); // an empty message says that its writer is there
            int capacityBytes = log.Bytes.CapacityWith(data.Length, _options.LogStreamBytesMax, withWindow: false, windowBytesMax: 0);
            int moreBytes = capacityBytes - log.Bytes.CapacityBytes;
            MakeRoom(log, moreBytes);
            _bytes += moreBytes;
            _shares.Add(log.Connection, logs: 0, moreBytes);
            log.Bytes.Append(offset, data, data.Length, windowBytesMax: 0, capacityBytes);
        }
    }

    /// <summary>Nothing comes any more; readers get what is there, and then their end.</summary>
    /// <param name="offset">Where its writer believes that it ends.</param>
    public void Finish(WrittenLog log, long offset)
    {
        lock (_gate)
        {
            Check(log, offset);
            if (!log.Bytes.IsEnded) Finish(log);
        }
    }

    /// <summary>The server leaves: who waits for more, or is about to write it, hears so.</summary>
    public void Close()
    {
        _closing.Cancel();
        lock (_gate)
        {
            foreach (var log in _logs.Values) log.Bytes.Close();
        }
    }

    public void Dispose()
    {
        Close();
        _sweeper.Dispose();
    }

    public static Grpc.Core.RpcException Leaving() => RpcErrors.Unavailable("the server is shutting down");

    // The name that was asked with is a secret, or nearly one.
    private static Grpc.Core.RpcException Unknown() => RpcErrors.NotFound("log stream", "of this name");

    private static bool IsSame(UInt128 one, UInt128 other) =>
        CryptographicOperations.FixedTimeEquals(MemoryMarshal.AsBytes(new ReadOnlySpan<UInt128>(in one)), MemoryMarshal.AsBytes(new ReadOnlySpan<UInt128>(in other)));

    private WrittenLog? FindToWrite(string name) =>
        WrittenLogName.TryParseWrite(name, out var parsed, out UInt128 token)
        && _logs.TryGetValue(parsed.Id, out var log) && log.Name == parsed && IsSame(log.Token, token) ? log : null;

    private void Check(WrittenLog log, long offset)
    {
        if (_closing.IsCancellationRequested) throw Leaving();
        if (!_logs.ContainsKey(log.Name.Id)) throw Unknown();
        if (offset != log.Bytes.LengthBytes)
            throw RpcErrors.InvalidField("write_offset", $"write_offset is {offset}, expected {log.Bytes.LengthBytes}");
    }

    private void Finish(WrittenLog log)
    {
        log.Bytes.Finish();
        Put(log, _final);
    }

    private void Put(WrittenLog log, LinkedList<WrittenLog> list)
    {
        log.HeardAt = _clock.GetTimestamp();
        log.Place.List?.Remove(log.Place);
        list.AddLast(log.Place);
    }

    private void MakeRoom(WrittenLog log, int bytes)
    {
        if (bytes == 0) return;
        while (_shares.Of(log.Connection).Bytes + bytes > BytesShare)
        {
            if (!TryForgetOne(log.Connection, but: log))
                throw RpcErrors.Exhausted($"log streams of this connection take {BytesShare} bytes, of {_options.LogStreamsBytesMax} for all (--log-streams-size-max)");
        }

        while (_bytes + bytes > _options.LogStreamsBytesMax)
        {
            if (!TryForgetOne(ofConnection: null, but: log)) throw RpcErrors.Exhausted($"log streams take all of {_options.LogStreamsBytesMax} bytes (--log-streams-size-max)");
        }
    }

    /// <param name="ofConnection">Null: of any.</param>
    /// <param name="but">It is being written.</param>
    private bool TryForgetOne(string? ofConnection, WrittenLog? but = null)
    {
        bool IsOf(WrittenLog log) => log != but && (ofConnection is null || log.Connection == ofConnection);
        var victim = _final.FirstOrDefault(log => IsOf(log) && log.Readers == 0)
            ?? _final.FirstOrDefault(IsOf)
            ?? _open.FirstOrDefault(log => IsOf(log) && IsLeft(log));
        if (victim is null) return false;

        Forget(victim);
        return true;
    }

    private void Forget(WrittenLog log)
    {
        log.Place.List?.Remove(log.Place);
        if (_logs.Remove(log.Name.Id))
        {
            int bytes = log.Bytes.CapacityBytes;
            _bytes -= bytes;
            _shares.Add(log.Connection, logs: -1, -bytes);
        }

        log.Bytes.Forget();
    }

    private bool IsLeft(WrittenLog log) =>
        log.Writers == 0 && IsSilentFor(log, _options.LiveLogKeep) && _clock.GetElapsedTime(log.LeftAt) >= _options.LiveLogKeep;

    private bool IsSilentFor(WrittenLog log, TimeSpan time) => _clock.GetElapsedTime(log.HeardAt) >= time;

    private void Sweep()
    {
        lock (_gate)
        {
            // Who takes long to read one may: where its memory is wanted it goes all the same.
            foreach (var old in _final.Where(log => log.Readers == 0 && IsSilentFor(log, _options.LiveLogKeep)).ToArray()) Forget(old);
            while (_open.First?.Value is { } silent && IsSilentFor(silent, _options.LogStreamSilenceMax)) Finish(silent);
            if (_logs.Count == 0 && !_closing.IsCancellationRequested) _sweeper.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
