using System.Buffers;
using RemoteExec.Core;

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
public sealed class FileOperationJournal(FileOperationJournalOptions options) : IOperationJournal
{
    // A group that grew beyond this is closed: one frame stays far below what a reader accepts.
    private const int GroupBytesMax = 64 << 20;

    // The state is written in frames of about this size, so that reading it back needs no huge buffer.
    private const int StateFrameBytes = 1 << 20;

    // errno(3): ENOSPC and, on Linux, EDQUOT; HRESULT of ERROR_DISK_FULL.
    private const int NoSpace = 28;
    private const int QuotaExceeded = 122;
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    private readonly object _gate = new();
    private readonly Queue<Work> _work = new();
    private readonly TaskCompletionSource _flusherEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // The live segment belongs to the flusher once it runs.
    private Segment? _segment;
    private Thread? _flusher;
    private Work? _open;
    private Work? _spare;
    private JournalException? _failure;
    private bool _isStopping;
    private volatile bool _isCompacting;
    private long _lengthBytes;
    private long _compactedBytes;

    public event Action<string?>? StallChanged;

    /// <summary>What a crash left unfinished at the end of the file, and recovery cut off: nobody had been told of it.</summary>
    public long TornBytes { get; private set; }

    /// <summary>Of the live segment.</summary>
    public long LengthBytes => Volatile.Read(ref _lengthBytes);

    public bool WantsCompaction => !_isCompacting
        && Volatile.Read(ref _lengthBytes) - Volatile.Read(ref _compactedBytes) > Math.Max(options.CompactAfterBytes, Volatile.Read(ref _compactedBytes));

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_flusher is not null) throw new InvalidOperationException("the journal has been recovered already");

        var records = new List<JournalRecord>();
        try
        {
            Directory.CreateDirectory(options.Directory);
            _segment = Segment.Recover(options.Directory, records, out long tornBytes)
                ?? Segment.Create(options.Directory, number: 1, payloads: []);
            TornBytes = tornBytes;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new JournalException(
                $"the operation journal in {options.Directory} cannot be opened: {exception.Message} "
                + "Is another server using the directory, or may this user not write there?",
                exception);
        }

        _lengthBytes = _segment.LengthBytes;
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
                (_open, _spare) = (_spare ?? new Work(), null);
                _work.Enqueue(_open);
            }

            var group = _open;
            foreach (var record in records) JournalCodec.Write(record, group.Payload);
            if (group.Payload.WrittenCount > GroupBytesMax) _open = null;
            Monitor.Pulse(_gate);
            return new ValueTask(group.Done.Task);
        }
    }

    public async ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var compaction = new Work { State = state };
        lock (_gate)
        {
            ThrowIfUnusable();
            // What is appended after this comes after it.
            _isCompacting = true;
            _open = null;
            _work.Enqueue(compaction);
            Monitor.Pulse(_gate);
        }

        await compaction.Done.Task;
        return compaction.IsCompacted;
    }

    /// <summary>Makes durable what was accepted, then closes.</summary>
    public async ValueTask DisposeAsync()
    {
        lock (_gate)
        {
            _isStopping = true;
            Monitor.Pulse(_gate);
        }

        if (_flusher is not null) await _flusherEnded.Task;
        _segment?.Dispose();
    }

    private static List<ReadOnlyMemory<byte>> Encode(IEnumerable<JournalRecord> state)
    {
        var frames = new List<ReadOnlyMemory<byte>>();
        var buffer = new ArrayBufferWriter<byte>(StateFrameBytes);
        foreach (var record in state)
        {
            JournalCodec.Write(record, buffer);
            if (buffer.WrittenCount < StateFrameBytes) continue;
            frames.Add(buffer.WrittenMemory.ToArray());
            buffer.ResetWrittenCount();
        }

        if (buffer.WrittenCount > 0) frames.Add(buffer.WrittenMemory.ToArray());
        return frames;
    }

    private void ThrowIfUnusable()
    {
        if (_failure is not null) throw new JournalException(_failure.Message, _failure);
        if (_flusher is null) throw new InvalidOperationException("the journal has not been recovered yet");
        ObjectDisposedException.ThrowIf(_isStopping, this);
    }

    private void Flush()
    {
        while (Take() is { } work)
        {
            try
            {
                WriteWhenThereIsRoom(work);
            }
            catch (Exception exception)
            {
                Fail(work, exception);
                break;
            }

            var done = work.Done;
            lock (_gate) Recycle(work);
            done.SetResult();
        }

        _flusherEnded.SetResult();
    }

    private Work? Take()
    {
        lock (_gate)
        {
            while (_work.Count == 0)
            {
                if (_isStopping) return null;
                Monitor.Wait(_gate);
            }

            var work = _work.Dequeue();
            // Closed: whoever comes now may be too late for the fsync that is about to begin.
            if (_open == work) _open = null;
            return work;
        }
    }

    /// <summary>
    /// A write that found no room has promised nothing, so the same bytes go to the same place again, and a crash in
    /// between leaves a torn tail that nobody was told of. Not so once fsync has begun: see <see cref="Fail"/>.
    /// </summary>
    private void WriteWhenThereIsRoom(Work work)
    {
        bool isStalled = false;
        while (true)
        {
            try
            {
                if (work.State is { } state)
                    work.IsCompacted = TryReplace(Encode(state));
                else
                    Append(work);
                break;
            }
            catch (IOException full) when (IsRoomMissing(full))
            {
                if (!isStalled)
                    StallChanged?.Invoke($"the disk of the operation journal in {options.Directory} is full: no action is accepted or finished until there is room; free some space there");
                isStalled = true;
                if (!WaitToRetry()) throw;
            }
        }

        if (isStalled) StallChanged?.Invoke(null);
    }

    // The base library passes on errno, and on Windows its own code.
    private static bool IsRoomMissing(IOException failure) =>
        failure.HResult is NoSpace or QuotaExceeded or WindowsDiskFull;

    /// <summary>False when the journal is being closed: then nobody waits for room any more.</summary>
    private bool WaitToRetry()
    {
        lock (_gate)
        {
            if (!_isStopping) Monitor.Wait(_gate, options.RoomRetryInterval);
            return !_isStopping;
        }
    }

    private void Append(Work group)
    {
        if (group.Payload.WrittenCount == 0) return;

        _segment!.Write(group.Payload.WrittenMemory);
        long start = options.Time.GetTimestamp();
        _segment.Flush();
        Observers.Tell(options.Observer, options.Time.GetElapsedTime(start), static (observer, took) => observer.Flushed(took));
        Volatile.Write(ref _lengthBytes, _segment.LengthBytes);
    }

    private bool TryReplace(List<ReadOnlyMemory<byte>> state)
    {
        _isCompacting = false;
        var old = _segment!;
        try
        {
            _segment = Segment.Create(options.Directory, old.Number + 1, state);
        }
        catch (IOException full) when (IsRoomMissing(full))
        {
            // Not again before the journal has grown a good deal.
            Volatile.Write(ref _compactedBytes, old.LengthBytes);
            return false;
        }

        Volatile.Write(ref _compactedBytes, _segment.LengthBytes);
        Volatile.Write(ref _lengthBytes, _segment.LengthBytes);

        // The new one counts from its rename on; if we crash here, recovery removes the old one.
        old.Dispose();
        File.Delete(old.Path);
        return true;
    }

    /// <summary>
    /// After a failed fsync the kernel may have dropped the pages and call the next one a success (fsync(2); the
    /// PostgreSQL case of 2018). So there is no next one.
    /// </summary>
    private void Fail(Work work, Exception exception)
    {
        var failure = exception as JournalException
            ?? new JournalException($"{_segment!.Path} cannot be written: {exception.Message}", exception);
        Work[] waiting;
        lock (_gate)
        {
            _failure = failure;
            waiting = [.. _work];
            _work.Clear();
            _open = null;
        }

        work.Done.SetException(failure);
        foreach (var other in waiting) other.Done.SetException(failure);
    }

    /// <summary>Keeps one group's buffer for the next, unless a burst made it large.</summary>
    private void Recycle(Work work)
    {
        if (work.State is not null || work.Payload.Capacity > StateFrameBytes) return;

        work.Payload.ResetWrittenCount();
        _spare = new Work { Payload = work.Payload };
    }

    /// <summary>One thing for the flusher: a group of appended records, or a state that replaces all.</summary>
    private sealed class Work
    {
        public ArrayBufferWriter<byte> Payload { get; init; } = new(4096);

        public IEnumerable<JournalRecord>? State { get; init; }

        public bool IsCompacted { get; set; }

        /// <summary>Completes on the flusher, and what waits for it goes on there.</summary>
        public TaskCompletionSource Done { get; } = new();
    }
}
