using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>The lists on disk: one log, flushed at each append, written anew when most of it no longer counts. For one thread at a time.</summary>
internal sealed class ChunkListLog : IDisposable
{
    private const string Name = "lists.log";

    // Below it a log is not worth being written anew.
    private const long CompactBytesMin = 4 << 20;

    private readonly string _path;
    private readonly IDisk _disk;
    private FramedLog _log;
    private bool _isBroken;

    private ChunkListLog(string path, IDisk disk, FramedLog log) => (_path, _disk, _log) = (path, disk, log);

    /// <summary>Opens the log, and tells every intact list in it, first to last.</summary>
    public static ChunkListLog Open(string directory, IDisk disk, Action<Digest, ChunkList> found)
    {
        DurableDirectory.Create(disk, directory);
        string path = Path.Combine(directory, Name);
        var log = File.Exists(path) ? FramedLog.TryOpen(path, ChunkListFormat.Frames, disk, isAlone: true, out string? fault) : null;
        if (log is null)
        {
            // Its blobs are misses, and misses are uploaded again.
            log = FramedLog.Begin(path, ChunkListFormat.Frames, disk, isAlone: true);
            log.Publish();
            DurableDirectory.Flush(disk, directory);
        }

        try
        {
            var frames = log.ReadAll();
            while (frames.TryNext(out _, out var frame))
            {
                if (ChunkListFormat.TryRead(frame, out var blob, out var list)) found(blob, list);
            }

            log.CutAt(frames.End);
            return new ChunkListLog(path, disk, log);
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

        _log.Append(ChunkListFormat.ToFrame(blob, list));
        _isBroken = true;
        _log.Flush();
        _isBroken = false;
    }

    /// <summary>Gives back what replaced and forgotten lists take.</summary>
    /// <param name="liveBytes">Of what still counts.</param>
    public void Compact(long liveBytes, Func<IReadOnlyList<(Digest Blob, ChunkList List)>> live)
    {
        if (_log.LengthBytes < CompactBytesMin + (2 * liveBytes)) return;

        FramedLog? next = null;
        try
        {
            next = FramedLog.Begin(_path, ChunkListFormat.Frames, _disk, isAlone: true);
            foreach (var (blob, list) in live()) next.Append(ChunkListFormat.ToFrame(blob, list));
            next.Flush();
            next.Publish();
            DurableDirectory.Flush(_disk, Path.GetDirectoryName(_path)!);
            (_log, next) = (next, _log);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk, for one. Everything is in the old log still, and the next append tries again.
            Trace.TraceWarning($"{_path} was not written anew: {failed.Message}");
        }
        finally
        {
            next?.Dispose();
        }
    }

    public void Dispose() => _log.Dispose();
}
