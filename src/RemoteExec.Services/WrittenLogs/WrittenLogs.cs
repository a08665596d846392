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
/// open -> final (its writer said so, or was silent for too long) -> forgotten
/// </code>
/// <list type="bullet">
/// <item>one has <see cref="ServicesOptions.LogStreamBytesMax"/>, all take <see cref="ServicesOptions.LogStreamsBytesMax"/>, there are <see cref="ServicesOptions.LogStreamsMax"/>;</item>
/// <item>where one more finds no room the oldest final one goes, then the one whose writer has been silent for longest, if that is <see cref="ServicesOptions.LiveLogKeep"/>.</item>
/// </list>
/// Two writers of one log are told apart by nothing but the offset: whoever writes at the committed end goes on.
/// </summary>
internal sealed class WrittenLogs : IDisposable
{
    // What a log costs beside its bytes: objects, a table entry, a place in a list.
    private const int OverheadBytes = 1024;

    private static readonly TimeSpan SweepInterval = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly Dictionary<UInt128, WrittenLog> _logs = [];
    private readonly LinkedList<WrittenLog> _open = []; // the longest silent one first
    private readonly LinkedList<WrittenLog> _final = []; // in the order in which they ended
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

    /// <summary>Memory taken, never more than <see cref="ServicesOptions.LogStreamsBytesMax"/>.</summary>
    public long Bytes
    {
        get { lock (_gate) return _bytes; }
    }

    /// <exception cref="Grpc.Core.RpcException">RESOURCE_EXHAUSTED: there are too many.</exception>
    public WrittenLog Create(InstanceName instance)
    {
        lock (_gate)
        {
            if (_closing.IsCancellationRequested) throw Leaving();
            if (_logs.Count >= _options.LogStreamsMax && !TryForgetOne())
                throw RpcErrors.Exhausted($"{_options.LogStreamsMax} log streams are written already");

            MakeRoom(OverheadBytes);
            if (_logs.Count == 0) _sweeper.Change(SweepInterval, SweepInterval);
            var log = new WrittenLog(new WrittenLogName(instance, WrittenLogName.NewPart()));
            _logs.Add(log.Name.Id, log);
            _bytes += OverheadBytes;
            Put(log, _open);
            return log;
        }
    }

    /// <summary>For readers; null when it is unknown or forgotten.</summary>
    public LiveLog? Open(string resourceName)
    {
        if (!WrittenLogName.TryParse(resourceName, out var name)) return null;
        lock (_gate) return _logs.TryGetValue(name.Id, out var log) && log.Name == name ? log.Bytes : null;
    }

    /// <exception cref="Grpc.Core.RpcException">NOT_FOUND. A wrong token is like a wrong name: nobody learns which of them he has found.</exception>
    public WrittenLog OpenToWrite(string resourceName)
    {
        bool isName = WrittenLogName.TryParseWrite(resourceName, out var name, out UInt128 token);
        lock (_gate)
        {
            if (isName && _logs.TryGetValue(name.Id, out var log) && log.Name == name && IsSame(log.Token, token)) return log;
        }

        throw Unknown();
    }

    /// <summary>Takes what follows the committed bytes, all of it or nothing.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: it does not follow them, or is too much; RESOURCE_EXHAUSTED.</exception>
    public void Append(WrittenLog log, long offset, ReadOnlySpan<byte> data)
    {
        lock (_gate)
        {
            Check(log, offset);
            if (data.IsEmpty) return; // also of a final one: its writer may not have heard that it is
            if (log.Bytes.IsEnded) throw RpcErrors.Invalid("the log stream is final: nothing is written behind its end");
            if (offset + data.Length > _options.LogStreamBytesMax)
                throw RpcErrors.Invalid($"the log stream would have {offset + data.Length} bytes, of which this server keeps {_options.LogStreamBytesMax} (--log-stream-size-max)");

            log.HeardAt = _clock.GetTimestamp();
            Put(log, _open);
            int capacityBytes = log.Bytes.CapacityWith(data.Length, _options.LogStreamBytesMax, withWindow: false, windowBytesMax: 0);
            int moreBytes = capacityBytes - log.Bytes.CapacityBytes;
            MakeRoom(moreBytes);
            _bytes += moreBytes;
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

    private void MakeRoom(int bytes)
    {
        while (_bytes + bytes > _options.LogStreamsBytesMax)
        {
            if (!TryForgetOne()) throw RpcErrors.Exhausted($"log streams take all of {_options.LogStreamsBytesMax} bytes (--log-streams-size-max)");
        }
    }

    private bool TryForgetOne()
    {
        var victim = _final.First?.Value ?? (_open.First?.Value is { } silent && IsSilentFor(silent, _options.LiveLogKeep) ? silent : null);
        if (victim is null) return false;

        Forget(victim);
        return true;
    }

    private void Forget(WrittenLog log)
    {
        log.Bytes.Finish(); // whoever reads it gets to where it stands
        log.Place.List?.Remove(log.Place);
        if (_logs.Remove(log.Name.Id)) _bytes -= log.Bytes.CapacityBytes + OverheadBytes;
    }

    private bool IsSilentFor(WrittenLog log, TimeSpan time) => _clock.GetElapsedTime(log.HeardAt) >= time;

    private void Sweep()
    {
        lock (_gate)
        {
            while (_final.First?.Value is { } old && IsSilentFor(old, _options.LiveLogKeep)) Forget(old);
            while (_open.First?.Value is { } silent && IsSilentFor(silent, _options.LogStreamSilenceMax)) Finish(silent);
            if (_logs.Count == 0 && !_closing.IsCancellationRequested) _sweeper.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }
}
