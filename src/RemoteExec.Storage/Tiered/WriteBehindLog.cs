using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>
/// What is still to be brought, on disk. What was appended outlasts a kill, and a loss of power from a flush on (<see cref="HoldForFlush"/>); that something is
/// over is never flushed, since bringing it once more finds it there. Written anew when most of it is over. For one thread at a time.
/// </summary>
internal sealed class WriteBehindLog : IDisposable
{
    private const string Name = "behind.log";

    // Below it a log is not worth being written anew.
    private const long CompactBytesMin = 1 << 20;

    private readonly string _path;
    private readonly IDisk _disk;
    private readonly byte[] _frame = new byte[WriteBehindFormat.Frames.HeadBytes + WriteBehindFormat.Frames.BodyBytesMax];
    private FramedLog? _log; // begun by the first append: a start on a full disk needs no room

    private WriteBehindLog(string directory, IDisk disk) => (_path, _disk) = (Path.Combine(directory, Name), disk);

    /// <summary>Opens the log, and answers what was still to be brought, in the order in which it came.</summary>
    public static WriteBehindLog Open(string directory, IDisk disk, out IReadOnlyList<Digest> waiting)
    {
        var log = new WriteBehindLog(directory, disk);
        try
        {
            waiting = log.Load();
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <exception cref="IOException">It is not remembered.</exception>
    public void Append(in Digest digest, bool isAdded)
    {
        _log ??= Begin();
        _log.Append(_frame.AsSpan(0, WriteBehindFormat.Write(digest, isAdded, _frame)));
    }

    /// <summary>What to flush so that all that was appended by now outlasts a loss of power, as long as it takes: <see cref="FramedLog.LetGo"/> ends that. Null when there is nothing.</summary>
    public FramedLog? HoldForFlush()
    {
        _log?.Hold();
        return _log;
    }

    /// <summary>Gives back the room of what is over.</summary>
    /// <param name="waiting">All that counts.</param>
    public void Compact(int count, IEnumerable<Digest> waiting)
    {
        long liveBytes = (long)count * _frame.Length;
        if (_log is not null && _log.LengthBytes >= CompactBytesMin + (2 * liveBytes)) Rewrite(waiting);
    }

    /// <summary>In another file, flushed: also what a flush failed of, whose pages the kernel may have dropped.</summary>
    public void Rewrite(IEnumerable<Digest> waiting)
    {
        FramedLog? next = null;
        try
        {
            next = FramedLog.Begin(_path, WriteBehindFormat.Frames, _disk, isAlone: true);
            foreach (var digest in waiting) next.Append(_frame.AsSpan(0, WriteBehindFormat.Write(digest, isAdded: true, _frame)));
            next.Flush();
            next.Publish();
            (_log, next) = (next, _log);
            DurableDirectory.Flush(_disk, Path.GetDirectoryName(_path)!);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk, for one. Everything is in the log that has the name, and the next end tries again.
            Trace.TraceWarning($"{_path} was not written anew: {failed.Message}");
        }
        finally
        {
            next?.Dispose();
        }
    }

    public void Dispose() => _log?.Dispose();

    private List<Digest> Load()
    {
        if (!File.Exists(_path)) return [];

        // One that is no log any more: what it had is here and not behind, and costs nobody a build.
        _log = FramedLog.TryOpen(_path, WriteBehindFormat.Frames, _disk, isAlone: true, out _);
        if (_log is null) return [];

        var order = new Dictionary<Digest, int>();
        var frames = _log.ReadAll();
        try
        {
            while (frames.TryNext(out _, out var frame))
            {
                if (!WriteBehindFormat.TryRead(frame, out var digest, out bool isAdded)) continue;
                if (isAdded) order.TryAdd(digest, order.Count);
                else order.Remove(digest);
            }
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            // So is what is behind a bad sector.
        }

        _log.CutAt(frames.End);
        return [.. order.OrderBy(entry => entry.Value).Select(entry => entry.Key)];
    }

    private FramedLog Begin()
    {
        string directory = Path.GetDirectoryName(_path)!;
        DurableDirectory.Create(_disk, directory);
        var log = FramedLog.Begin(_path, WriteBehindFormat.Frames, _disk, isAlone: true);
        try
        {
            log.Publish();
            DurableDirectory.Flush(_disk, directory);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }
}
