namespace RemoteExec.Storage;

/// <summary>
/// One file of uses, which says of itself whether any is missing: its first frame is written over in place, and that needs no room.
/// For one thread at a time.
/// </summary>
internal sealed class UseFile : IDisposable
{
    private readonly FramedLog _log;
    private bool _isTrusted;

    private UseFile(FramedLog log, bool isTrusted) => (_log, _isTrusted) = (log, isTrusted);

    public long LengthBytes => _log.LengthBytes;

    /// <summary>Some use will never be in it: it is to be written anew.</summary>
    public bool HasGaps { get; private set; }

    /// <summary>Begins a file that takes the place of the present one with <see cref="Publish"/>.</summary>
    public static UseFile Begin(string path, in ClockReading clock, IDisk disk)
    {
        var log = FramedLog.Begin(path, UseRecords.Frames, disk, isAlone: false);
        try
        {
            log.Append(UseRecords.ThisBoot);
            log.Append(UseRecords.FrameOf(clock));
            return new UseFile(log, isTrusted: true);
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Goes on with what the last run left, as if it had never been closed; null when there is nothing.</summary>
    public static UseFile? TryContinue(string path, UseHistory history, IDisk disk)
    {
        if (history.EndBytes == 0) return null;

        var log = FramedLog.TryOpen(path, UseRecords.Frames, disk, isAlone: false, out _)!; // without a header every file is one
        log.CutAt(history.EndBytes);
        var file = new UseFile(log, history.IsOfThisBoot);
        // What it lacks, the index may have renewed.
        if (!history.IsOfThisBoot) file.Miss();
        return file;
    }

    /// <summary>False when the disk does not take it: then the file says so, until a later frame is taken.</summary>
    public bool TryAppend(Span<byte> frame, out Exception? failure)
    {
        failure = null;
        try
        {
            _log.Append(frame);
            if (!_isTrusted && !HasGaps)
            {
                _log.Overwrite(0, UseRecords.ThisBoot);
                _isTrusted = true;
            }

            return true;
        }
        catch (Exception refused)
        {
            // Whatever it is: who waits for an answer gets it, and a restart renews every promise.
            Distrust();
            failure = refused;
            return false;
        }
    }

    /// <summary>A use is lost to it.</summary>
    public void Miss()
    {
        HasGaps = true;
        Distrust();
    }

    public void Publish() => _log.Publish();

    /// <summary>The next run trusts it to the millisecond, unless it has gaps or the disk is full: then as after a kill.</summary>
    public void Close()
    {
        if (HasGaps || !TryAppend(UseRecords.Closing, out _)) return;

        try
        {
            _log.Flush();
        }
        catch (FileSystemException)
        {
            // The boot id still tells the next run how far to trust.
        }
    }

    public void Dispose() => _log.Dispose();

    private void Distrust()
    {
        if (!_isTrusted) return;
        _isTrusted = false;
        try
        {
            _log.Overwrite(0, UseRecords.NoBoot);
        }
        catch (IOException)
        {
            // A file system that does not write in place. Without a log, too, a restart renews every promise.
            HasGaps = true;
            TryDelete();
        }
    }

    private void TryDelete()
    {
        try
        {
            File.Delete(_log.Path);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // Where nothing can be deleted, nothing is evicted either.
        }
    }
}
