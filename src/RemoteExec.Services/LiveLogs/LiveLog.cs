using System.Diagnostics;

namespace RemoteExec.Services;

/// <summary>
/// What one attempt writes to one stream, and the event of more: its beginning, and of a long one its newest.
/// <code>
/// open -> ended (nothing more is taken)
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
    private byte[] _head = [];
    private int _headLength;
    private LiveWindow? _window;
    private int _windowBytes;
    private bool _isEnded;
    private bool _isClosed;
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
            lock (_gate) return _isEnded;
        }
    }

    /// <summary>Memory for it. A window counts with all that it may take.</summary>
    public int CapacityBytes
    {
        get
        {
            lock (_gate) return _head.Length + _windowBytes;
        }
    }

    private long End => _window?.End ?? _headLength;

    /// <summary>How much of a piece that begins at <paramref name="offset"/> the head takes: what it has room for, if nothing is missing before.</summary>
    public int HeadRoomFor(long offset, int pieceBytes, int headBytesMax)
    {
        lock (_gate) return _window is null && offset == _headLength ? Math.Min(pieceBytes, headBytesMax - _headLength) : 0;
    }

    /// <summary>What <see cref="CapacityBytes"/> becomes when so much more is taken.</summary>
    public int CapacityWith(int headBytes, int headBytesMax, bool withWindow, int windowBytesMax)
    {
        lock (_gate)
        {
            int needed = _headLength + headBytes;
            // Doubling, since pieces are small; the first piece as it is, since most logs have one.
            int head = needed <= _head.Length ? _head.Length : Math.Min(Math.Max(needed, _head.Length * 2), headBytesMax);
            return head + (withWindow ? windowBytesMax : _windowBytes);
        }
    }

    /// <param name="offset">The end, or behind it.</param>
    /// <param name="headBytes">So much of it belongs to the head, the rest to the window.</param>
    /// <param name="capacityBytes">What was asked for.</param>
    public void Append(long offset, ReadOnlySpan<byte> data, int headBytes, int windowBytesMax, int capacityBytes)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            Debug.Assert(!_isEnded, "an ended log takes nothing");
            bool needsWindow = headBytes < data.Length;
            if (needsWindow) _windowBytes = windowBytesMax;
            // A new array rather than the old one changed: readers hold on to it.
            if (capacityBytes - _windowBytes > _head.Length) Array.Resize(ref _head, capacityBytes - _windowBytes);
            data[..headBytes].CopyTo(_head.AsSpan(_headLength));
            _headLength += headBytes;
            if (needsWindow) (_window ??= new LiveWindow(offset + headBytes, windowBytesMax)).Append(offset + headBytes, data[headBytes..]);
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>Readers get what is kept, and then their end.</summary>
    public void Finish() => Change(() => _isEnded = true);

    /// <summary>The coordinator leaves: who waits for more hears so.</summary>
    public void Close() => Change(() => _isClosed = true);

    /// <summary>
    /// What is kept from <paramref name="offset"/> on, and what completes when there is more. <paramref name="end"/> is where
    /// the log ends for who stands there, null while that is not known.
    /// </summary>
    public ReadOnlyMemory<byte> Read(long offset, out long? end, out bool isClosed, out Task changed)
    {
        lock (_gate)
        {
            bool isGone = offset >= _headLength && _window is { } window && offset < window.Start;
            end = isGone ? offset : _isEnded ? End : null;
            isClosed = _isClosed;
            bool isWaiting = offset >= End && !_isEnded && !_isClosed;
            // Continuations elsewhere: a reader must not run on the thread that hears the worker.
            changed = isWaiting
                ? (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task
                : Task.CompletedTask;
            return offset < _headLength ? _head.AsMemory((int)offset, _headLength - (int)offset) : _window?.Read(offset) ?? default;
        }
    }

    /// <summary>The head, and of the window a copy of its last bytes.</summary>
    public LogSoFar Peek(int newestBytesMax)
    {
        lock (_gate)
        {
            var head = _head.AsMemory(0, _headLength);
            if (_window is null) return new LogSoFar(head, default, _headLength);

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
