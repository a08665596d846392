using System.Diagnostics;

namespace RemoteExec.Services;

/// <summary>
/// What one attempt writes to one stream, and the event of more: its beginning, and of a long one its newest.
/// <code>
/// open -> ended (nothing more is taken) -> forgotten
///      -> closed (the coordinator leaves)
///
/// | head, grows up to its bound | gone | window: the newest |
/// </code>
/// Who reads along gets all of it; who comes late, or is too slow, gets the head and then his end: what he is shown has no hole.
/// Bytes that are here never change, so that readers take them without a copy.
/// </summary>
internal sealed class LiveLog(InstanceName instance)
{
    private readonly Lock _gate = new();
    private readonly LogHead _head = new();
    private LiveWindow? _window;
    private int _windowBytes;
    private long? _end; // where nothing more is taken
    private bool _isClosed;
    private bool _isForgotten;
    private TaskCompletionSource? _changed;

    public InstanceName Instance { get; } = instance;

    /// <summary>When its lease was over, by the monotonic clock; null while that goes on, whether or not the log still takes bytes.</summary>
    public long? OverAt { get; set; }

    /// <summary>How far the stream is known.</summary>
    public long LengthBytes
    {
        get
        {
            lock (_gate) return End;
        }
    }

    public bool IsEnded
    {
        get
        {
            lock (_gate) return _end is not null;
        }
    }

    /// <summary>Memory for it. A window counts with all that it may take.</summary>
    public int CapacityBytes
    {
        get
        {
            lock (_gate) return _head.CapacityBytes + _windowBytes;
        }
    }

    private long End => _end ?? _window?.End ?? _head.LengthBytes;

    /// <summary>How much of a piece that begins at <paramref name="offset"/> the head takes: what it has room for, if nothing is missing before.</summary>
    public int HeadRoomFor(long offset, int pieceBytes, int headBytesMax)
    {
        lock (_gate) return _window is null && offset == _head.LengthBytes ? Math.Min(pieceBytes, headBytesMax - _head.LengthBytes) : 0;
    }

    /// <summary>What <see cref="CapacityBytes"/> becomes when so much more is taken.</summary>
    public int CapacityWith(int headBytes, int headBytesMax, bool withWindow, int windowBytesMax)
    {
        lock (_gate) return _head.CapacityWith(headBytes, headBytesMax) + (withWindow ? windowBytesMax : _windowBytes);
    }

    /// <param name="offset">The end, or behind it.</param>
    /// <param name="headBytes">So much of it belongs to the head, the rest to the window.</param>
    /// <param name="capacityBytes">What was asked for.</param>
    public void Append(long offset, ReadOnlySpan<byte> data, int headBytes, int windowBytesMax, int capacityBytes)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            Debug.Assert(_end is null, "an ended log takes nothing");
            bool needsWindow = headBytes < data.Length;
            if (needsWindow) _windowBytes = windowBytesMax;
            _head.Append(data[..headBytes], capacityBytes - _windowBytes);
            if (needsWindow) (_window ??= new LiveWindow(offset + headBytes, windowBytesMax)).Append(offset + headBytes, data[headBytes..]);
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>Readers get what is kept, and then their end.</summary>
    public void Finish() => Change(() => _end ??= End);

    /// <summary>
    /// Its bytes are given back, also by those who read them: a reader that is slow would keep what nobody counts any more. Who has not got to
    /// the end of an ended one, or reads one that goes on, hears so.
    /// </summary>
    public void Forget() => Change(() =>
    {
        _isForgotten = true;
        _head.Drop();
        _window = null;
        _windowBytes = 0;
    });

    /// <summary>The coordinator leaves: who waits for more hears so.</summary>
    public void Close() => Change(() => _isClosed = true);

    /// <summary>
    /// What is kept from <paramref name="offset"/> on, and what completes when there is more. <paramref name="end"/> is where
    /// the log ends for who stands there, null while that is not known.
    /// </summary>
    public ReadOnlyMemory<byte> Read(long offset, out long? end, out LiveLogState state, out Task changed)
    {
        lock (_gate)
        {
            state = _isForgotten ? LiveLogState.Forgotten : _isClosed ? LiveLogState.Closed : _end is null ? LiveLogState.Open : LiveLogState.Ended;
            if (_isForgotten)
            {
                (end, changed) = (_end, Task.CompletedTask);
                return default;
            }

            bool isGone = offset >= _head.LengthBytes && _window is { } window && offset < window.Start;
            end = isGone ? offset : _end;
            bool isWaiting = offset >= End && state == LiveLogState.Open;
            // Continuations elsewhere: a reader must not run on the thread that hears the worker.
            changed = isWaiting
                ? (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task
                : Task.CompletedTask;
            return offset < _head.LengthBytes ? _head.Read(offset) : _window?.Read(offset) ?? default;
        }
    }

    /// <summary>The head, a copy where it has several blocks, and of the window a copy of its last bytes.</summary>
    public LogSoFar Peek(int newestBytesMax)
    {
        lock (_gate)
        {
            var head = _head.Whole();
            if (_window is null) return new LogSoFar(head, default, _head.LengthBytes);

            using var newest = new MemoryStream();
            for (long at = Math.Max(_window.Start, _window.End - newestBytesMax); at < _window.End; at += _window.Read(at).Length)
                newest.Write(_window.Read(at).Span);
            return new LogSoFar(head, newest.ToArray(), _window.End);
        }
    }

    private void Change(Action change)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            change();
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }
}
