using System.Diagnostics;
using System.Globalization;

namespace RemoteExec.Storage;

/// <summary>
/// The generations on disk: a file for each of the two newest, appended to and never flushed. What a loss of power tears costs a
/// client an upload; a killed process loses nothing. A disk that refuses costs the memory of this table over a restart, and nothing else.
/// For one thread at a time.
/// </summary>
internal sealed class ProducerLog : IDisposable
{
    private const string Suffix = ".log";

    private readonly string _directory;
    private readonly IDisk _disk;
    private long _number; // of the newest file, or 0
    private FramedLog? _log; // begun by the first append: a start on a full disk needs no room
    private bool _isGivenUp; // until the next generation

    private ProducerLog(string directory, IDisk disk) => (_directory, _disk) = (directory, disk);

    /// <summary>Opens the directory and tells what is in it.</summary>
    /// <param name="next">Another generation begins, which is younger; at most so many keys are in it.</param>
    public static ProducerLog Open(string directory, IDisk disk, Action<long> next, Action<Digest?, UInt128[]> found)
    {
        DurableDirectory.Create(disk, directory);
        var log = new ProducerLog(directory, disk);
        try
        {
            log.Load(next, found);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    public void Append(Digest? action, ReadOnlySpan<UInt128> outputs)
    {
        if (_isGivenUp) return;

        try
        {
            _log ??= Begin();
            for (int start = 0; start < outputs.Length; start += ProducerFormat.KeysMax)
            {
                var piece = outputs[start..Math.Min(start + ProducerFormat.KeysMax, outputs.Length)];
                _log.Append(ProducerFormat.ToFrame(action, piece));
            }
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            Trace.TraceWarning($"which action made what is not written down any more, so a restart will not know it: {_directory}: {failed.Message}");
            GiveUp();
        }
    }

    /// <summary>A generation is full: another file, and the oldest goes.</summary>
    public void Rotate()
    {
        // What was given up was half a generation: its successor is complete again.
        bool hasFile = _log is not null || _isGivenUp;
        GiveUp();
        _isGivenUp = false;
        if (!hasFile) return;

        Delete(_number - 1);
    }

    public void Dispose() => _log?.Dispose();

    private void Load(Action<long> next, Action<Digest?, UInt128[]> found)
    {
        long[] numbers =
        [
            .. Directory.EnumerateFiles(_directory, "*" + Suffix)
                .Select(path => long.TryParse(Path.GetFileNameWithoutExtension(path), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0)
                .Where(number => number > 0).Order(),
        ];
        foreach (long number in numbers.SkipLast(2)) Delete(number);
        foreach (long number in numbers.TakeLast(2))
        {
            _log?.Dispose();
            _log = null;
            _number = number;
            next(new FileInfo(PathOf(number)).Length / ProducerKey.Bytes);
            Read(found);
        }
    }

    private void Read(Action<Digest?, UInt128[]> found)
    {
        _log = FramedLog.TryOpen(PathOf(_number), ProducerFormat.Frames, _disk, isAlone: true, out string? fault);
        if (_log is null)
        {
            // What it knew is learnt again as actions run.
            Trace.TraceWarning($"{PathOf(_number)} {fault}, and is left out");
            return;
        }

        var frames = _log.ReadAll();
        try
        {
            while (frames.TryNext(out _, out var frame))
            {
                if (ProducerFormat.TryRead(frame, out var action, out var outputs)) found(action, outputs);
            }
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            // So is what is behind a bad sector.
        }

        _log.CutAt(frames.End);
    }

    private FramedLog Begin()
    {
        var log = FramedLog.Begin(PathOf(_number + 1), ProducerFormat.Frames, _disk, isAlone: true);
        try
        {
            log.Publish();
            _number++;
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    private void GiveUp()
    {
        _log?.Dispose();
        (_log, _isGivenUp) = (null, true);
    }

    private void Delete(long number)
    {
        try
        {
            File.Delete(PathOf(number));
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // It is left out at the next start, and then it is tried again.
            Trace.TraceWarning($"{PathOf(number)} was not deleted: {refused.Message}");
        }
    }

    private string PathOf(long number) => Path.Combine(_directory, number.ToString(CultureInfo.InvariantCulture) + Suffix);
}
