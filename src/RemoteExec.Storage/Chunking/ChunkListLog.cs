using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>The lists on disk: one log, flushed at each append, written anew when most of it no longer counts. For one thread at a time.</summary>
internal sealed class ChunkListLog : IDisposable
{
    private const string Name = "lists.log";

    private const string SetAsideSuffix = ".bad";

    // Below it a log is not worth being written anew.
    private const long CompactBytesMin = 4 << 20;

    private readonly string _path;
    private readonly IDisk _disk;
    private FramedLog? _log; // begun by the first append: a start on a full disk needs no room
    private bool _isBroken;

    private ChunkListLog(string directory, IDisk disk) => (_path, _disk) = (Path.Combine(directory, Name), disk);

    /// <summary>Opens the log, and tells every intact list in it, first to last.</summary>
    public static ChunkListLog Open(string directory, IDisk disk, Action<Digest, ChunkList> found)
    {
        var log = new ChunkListLog(directory, disk);
        try
        {
            log.Load(found);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <exception cref="IOException">It is not stored, and maybe nothing ever will be: what a disk says after a failed flush is not to be trusted.</exception>
    public void Append(Digest blob, ChunkList list)
    {
        if (_isBroken) throw new FileSystemException($"flushing {_path}", Errno.EIO);

        _log ??= Begin();
        _log.Append(ChunkListFormat.ToFrame(blob, list));
        _isBroken = true;
        _log.Flush();
        _isBroken = false;
    }

    /// <summary>Gives back what replaced and forgotten lists take.</summary>
    /// <param name="liveBytes">Of what still counts.</param>
    public void Compact(long liveBytes, Func<IReadOnlyList<(Digest Blob, ChunkList List)>> live)
    {
        if (_log is null || _log.LengthBytes < CompactBytesMin + (2 * liveBytes)) return;

        FramedLog? next = null;
        try
        {
            next = FramedLog.Begin(_path, ChunkListFormat.Frames, _disk, isAlone: true);
            foreach (var (blob, list) in live()) next.Append(ChunkListFormat.ToFrame(blob, list));
            next.Flush();
            next.Publish();
            (_log, next) = (next, _log);
            // From here on lists go to a file whose name is on disk only when this has gone well.
            _isBroken = true;
            DurableDirectory.Flush(_disk, Path.GetDirectoryName(_path)!);
            _isBroken = false;
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk, for one: everything is in the log that has the name, and the next append tries again. Not when the name itself may be lost.
            Trace.TraceWarning($"{_path} was not written anew: {failed.Message}");
        }
        finally
        {
            next?.Dispose();
        }
    }

    public void Dispose() => _log?.Dispose();

    private void Load(Action<Digest, ChunkList> found)
    {
        if (!File.Exists(_path)) return;

        _log = FramedLog.TryOpen(_path, ChunkListFormat.Frames, _disk, isAlone: true, out string? fault);
        if (_log is null)
        {
            // Its blobs are misses, and misses are uploaded again. The next log takes its name, so it gets another, for whoever wants to know.
            File.Move(_path, _path + SetAsideSuffix, overwrite: true);
            Trace.TraceWarning($"{_path} {fault}: the blobs that it lists are missing until they are uploaded again; it is {Path.GetFileName(_path)}{SetAsideSuffix} now");
            return;
        }

        var frames = _log.ReadAll();
        try
        {
            while (frames.TryNext(out _, out var frame))
            {
                if (ChunkListFormat.TryRead(frame, out var blob, out var list)) found(blob, list);
            }
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            // So are those behind a bad sector.
        }

        _log.CutAt(frames.End);
    }

    private FramedLog Begin()
    {
        string directory = Path.GetDirectoryName(_path)!;
        DurableDirectory.Create(_disk, directory);
        var log = FramedLog.Begin(_path, ChunkListFormat.Frames, _disk, isAlone: true);
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
