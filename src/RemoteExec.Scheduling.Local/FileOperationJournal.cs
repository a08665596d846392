using RemoteExec.Core;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>
/// The embedded journal: one append-only file, made durable by one thread. Whoever appends while an fsync is under way
/// shares the next one, so a thousand callers cost two fsyncs and not a thousand.
/// <code>
/// append -> open group -.                             (callers)
///                       '-> write frame -> fsync -> everyone in the group   (the flusher)
///                               ^ no room: wait, then the same frame to the same place
/// </code>
/// </summary>
public sealed class FileOperationJournal : IOperationJournal
{
    // A group that grew beyond this is closed: one frame stays far below what a reader accepts.
    private const int GroupBytesMax = 64 << 20;

    private const int GroupBytesMin = 4096;

    // A disk under load takes a second; one that takes longer does not answer at all.
    private static readonly TimeSpan CloseMax = TimeSpan.FromSeconds(5);

    // A burst's buffer is not kept.
    private const int GroupBytesKeptMax = 1 << 20;

    private readonly FileOperationJournalOptions _options;
    private readonly JournalSegments _segments;
    private readonly object _gate = new();
    private readonly Queue<JournalWork> _work = new();
    private readonly TaskCompletionSource _flusherEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Thread? _flusher;
    private JournalGroup? _open;
    private FrameBuffer? _spare;
    private JournalCompaction? _compaction;
    private JournalException? _failure;
    private bool _isStopping;
    private long _lengthBytes;
    private long _compactFromBytes;

    public FileOperationJournal(FileOperationJournalOptions options)
    {
        _options = options;
        _segments = new JournalSegments(options.Directory, options.Disk, Warn);
        _compactFromBytes = options.CompactAfterBytes;
    }

    public event Action<string?>? StallChanged;

    /// <summary>Of the live segment.</summary>
    public long LengthBytes => Volatile.Read(ref _lengthBytes);

    public bool WantsCompaction => Volatile.Read(ref _compaction) is null && LengthBytes > Volatile.Read(ref _compactFromBytes);

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_flusher is not null) throw new InvalidOperationException("the journal has been recovered already");

        var records = new List<JournalRecord>();
        try
        {
            _segments.Recover(records);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            _segments.Dispose();
            throw new JournalException(
                Errno.IsOutOfRoom(exception)
                    ? $"the disk of the operation journal in {_options.Directory} is full: free some space there"
                    : $"the operation journal in {_options.Directory} cannot be opened: {exception.Message} "
                      + "Is another server using the directory, or may this user not write there?",
                exception);
        }
        catch
        {
            _segments.Dispose();
            throw;
        }

        _lengthBytes = _segments.Live.LengthBytes;
        _flusher = new Thread(Flush) { IsBackground = true, Name = "journal flusher" };
        _flusher.Start();
        return ValueTask.FromResult<IReadOnlyList<JournalRecord>>(records);
    }

    public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken)
    {
        // Cancellation would leave the caller not knowing: what is accepted here becomes durable.
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            ThrowIfUnusable();
            if (_open is null)
            {
                _open = new JournalGroup(_spare ?? new FrameBuffer(JournalSegments.Format, GroupBytesMin));
                _spare = null;
                _work.Enqueue(_open);
            }

            var group = _open;
            Write(records, group.Frame);
            if (group.Frame.BodyBytes > GroupBytesMax) _open = null;
            Monitor.Pulse(_gate);
            return new ValueTask(group.Done.Task);
        }
    }

    public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        lock (_gate)
        {
            ThrowIfUnusable();
            if (_compaction is not null) return ValueTask.FromResult(false);

            _compaction = new JournalCompaction(state);
            // What is appended after this comes after it.
            _open = null;
            Enqueue(new CompactionStep(_compaction, failure: null));
            return new ValueTask<bool>(_compaction.Done);
        }
    }

    /// <summary>Makes durable what was accepted, then closes; unless the disk has not answered for <see cref="CloseMax"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _isStopping = true;
            Monitor.Pulse(_gate);
        }

        if (_flusher is not null)
        {
            await _flusherEnded.Task.WaitAsync(CloseMax, _options.Time).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // The file is the flusher's, whom no power of ours gets back from the disk. The end of the process closes it.
            if (!_flusherEnded.Task.IsCompleted) return;
        }

        _segments.Dispose();
    }

    /// <summary>All of them, or none: half a record would make the frame unreadable, with what others have in it.</summary>
    private static void Write(IReadOnlyList<JournalRecord> records, FrameBuffer frame)
    {
        int before = frame.BodyBytes;
        try
        {
            foreach (var record in records) JournalCodec.Write(record, frame);
        }
        catch
        {
            frame.CutBack(before);
            throw;
        }
    }

    private void ThrowIfUnusable()
    {
        if (_failure is not null) throw new JournalException(_failure.Message, _failure);
        if (_flusher is null) throw new InvalidOperationException("the journal has not been recovered yet");
        ObjectDisposedException.ThrowIf(_isStopping, this);
    }

    /// <summary>Under the lock.</summary>
    private void Enqueue(JournalWork work)
    {
        _work.Enqueue(work);
        Monitor.Pulse(_gate);
    }

    /// <summary>The flusher. Ends when the journal is closed, or with the first append that failed: see <see cref="Fail"/>.</summary>
    private void Flush()
    {
        while (Take() is { } work)
        {
            if (work is JournalGroup group) ServingLoop.Serve(() => Write(group), failure => Fail(failure, group));
            else if (work is CompactionStep step && step.Compaction == _compaction) ServingLoop.Serve(() => Advance(step), GiveUpCompaction);
        }

        if (_compaction is { } unfinished)
        {
            GiveUp(unfinished);
            EndCompaction(unfinished, isDone: false, long.MaxValue);
        }

        _flusherEnded.SetResult();
    }

    private JournalWork? Take()
    {
        lock (_gate)
        {
            while (_work.Count == 0 && !_isStopping && _failure is null) Monitor.Wait(_gate);
            if (_work.Count == 0 || _failure is not null) return null;

            var work = _work.Dequeue();
            // Closed: whoever comes now may be too late for the fsync that is about to begin.
            if (_open == work) _open = null;
            return work;
        }
    }

    private void Write(JournalGroup group)
    {
        if (!group.Frame.IsEmpty) AppendWhenThereIsRoom(group.Frame);
        lock (_gate)
        {
            group.Frame.Clear();
            if (group.Frame.Capacity <= GroupBytesKeptMax) _spare = group.Frame;
        }

        group.Done.SetResult();
    }

    /// <summary>
    /// A write that found no room has promised nothing, so the same bytes go to the same place again, and a crash in
    /// between leaves a torn tail that nobody was told of. Not so once fsync has begun: see <see cref="Fail"/>.
    /// </summary>
    private void AppendWhenThereIsRoom(FrameBuffer frame)
    {
        bool isStalled = false;
        while (true)
        {
            try
            {
                _segments.Live.Append(frame.Seal());
                break;
            }
            catch (IOException full) when (Errno.IsOutOfRoom(full))
            {
                // The room may be what a compaction has taken.
                if (_compaction is not null)
                {
                    GiveUpCompaction(full);
                    continue;
                }

                if (!isStalled)
                    Stall($"the disk of the operation journal in {_options.Directory} is full: no action is accepted or finished until there is room; free some space there");
                isStalled = true;
                if (!WaitToRetry()) throw;
            }
        }

        long start = _options.Time.GetTimestamp();
        _segments.Live.Flush();
        Observers.Tell(_options.Observer, _options.Time.GetElapsedTime(start), static (observer, took) => observer.Flushed(took));
        Volatile.Write(ref _lengthBytes, _segments.Live.LengthBytes);
        if (isStalled) Stall(null);
    }

    /// <summary>False when the journal is being closed: then nobody waits for room any more.</summary>
    private bool WaitToRetry()
    {
        lock (_gate)
        {
            if (!_isStopping) Monitor.Wait(_gate, _options.RoomRetryInterval);
            return !_isStopping;
        }
    }

    private void Advance(CompactionStep step)
    {
        var compaction = step.Compaction;
        if (!compaction.IsBegun)
        {
            compaction.Begin(_segments, failure =>
            {
                lock (_gate) Enqueue(new CompactionStep(compaction, failure));
            });
        }
        else if (step.Failure is { } failure)
        {
            GiveUpCompaction(failure);
        }
        else
        {
            compaction.Finish(_segments);
            Volatile.Write(ref _lengthBytes, _segments.Live.LengthBytes);
            EndCompaction(compaction, isDone: true, compaction.StateBytes + Math.Max(_options.CompactAfterBytes, compaction.StateBytes));
        }
    }

    private void GiveUpCompaction(Exception failure)
    {
        var compaction = _compaction!; // asked for while there is one
        GiveUp(compaction);
        if (failure is JournalException) Fail(failure);
        else Warn($"the operation journal in {_options.Directory} could not be written anew, it grows until that is done: {failure.Message}");
        EndCompaction(compaction, isDone: false, LengthBytes + _options.CompactAfterBytes);
    }

    /// <summary>What it leaves behind takes room and changes nothing: the next start removes it.</summary>
    private void GiveUp(JournalCompaction compaction) => ServingLoop.Serve(
        compaction.GiveUp, left => Warn($"an unfinished file of the operation journal in {_options.Directory} is not removed: {left.Message}"));

    private void EndCompaction(JournalCompaction compaction, bool isDone, long nextFromBytes)
    {
        Volatile.Write(ref _compactFromBytes, nextFromBytes);
        Volatile.Write(ref _compaction, null);
        compaction.Tell(isDone);
    }

    /// <summary>
    /// After a failed fsync the kernel may have dropped the pages and call the next one a success (fsync(2); the
    /// PostgreSQL case of 2018). So there is no next one.
    /// </summary>
    private void Fail(Exception exception, JournalGroup? group = null)
    {
        var failure = exception as JournalException
            ?? new JournalException($"{_segments.Live.Path} cannot be written: {exception.Message}", exception);
        JournalWork[] waiting;
        lock (_gate)
        {
            _failure = failure;
            waiting = [.. _work];
            _work.Clear();
            _open = null;
        }

        group?.Done.SetException(failure);
        foreach (var other in waiting.OfType<JournalGroup>()) other.Done.SetException(failure);
    }

    private void Stall(string? reason) => Observers.Tell(StallChanged, reason, static (changed, why) => changed(why));

    private void Warn(string what) => Observers.Tell(_options.Warned, what, static (warned, message) => warned(message));
}
