using System.Diagnostics;

namespace RemoteExec.Services;

/// <summary>
/// The beginning of what one attempt writes to one stream, and the event of more.
/// <code>
/// open -> ended (nothing more is taken)
///      -> closed (the coordinator leaves)
/// </code>
/// Bytes that are here never change, so that readers take them without a copy.
/// </summary>
internal sealed class LiveLog(InstanceName instance)
{
    private readonly Lock _gate = new();
    private byte[] _bytes = [];
    private int _length;
    private bool _isEnded;
    private bool _isClosed;
    private TaskCompletionSource? _changed;

    public InstanceName Instance { get; } = instance;

    /// <summary>When its lease was over, by the monotonic clock; null while that goes on, whether or not the log still takes bytes.</summary>
    public long? OverAt { get; set; }

    public int LengthBytes
    {
        get
        {
            lock (_gate) return _length;
        }
    }

    public bool IsEnded
    {
        get
        {
            lock (_gate) return _isEnded;
        }
    }

    public int CapacityBytes
    {
        get
        {
            lock (_gate) return _bytes.Length;
        }
    }

    /// <summary>What <see cref="CapacityBytes"/> becomes when so much more is taken.</summary>
    public int CapacityWith(int moreBytes, int bytesMax)
    {
        lock (_gate)
        {
            int needed = _length + moreBytes;
            // Doubling, since pieces are small; the first piece as it is, since most logs have one.
            return needed <= _bytes.Length ? _bytes.Length : Math.Min(Math.Max(needed, _bytes.Length * 2), bytesMax);
        }
    }

    public void Append(ReadOnlySpan<byte> data, int capacityBytes)
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            Debug.Assert(!_isEnded, "an ended log takes nothing");
            // A new array rather than the old one changed: readers hold on to it.
            if (capacityBytes > _bytes.Length) Array.Resize(ref _bytes, capacityBytes);
            data.CopyTo(_bytes.AsSpan(_length));
            _length += data.Length;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>Readers get what is kept, and then their end.</summary>
    public void End()
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            _isEnded = true;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>The coordinator leaves: who waits for more hears so.</summary>
    public void Close()
    {
        TaskCompletionSource? changed;
        lock (_gate)
        {
            _isClosed = true;
            (changed, _changed) = (_changed, null);
        }

        changed?.SetResult();
    }

    /// <summary>
    /// What is kept from <paramref name="offset"/> on, and what completes when there is more. <paramref name="end"/> is where
    /// the log ends, null while that is not known.
    /// </summary>
    public ReadOnlyMemory<byte> Read(long offset, out long? end, out bool isClosed, out Task changed)
    {
        lock (_gate)
        {
            end = _isEnded ? _length : null;
            isClosed = _isClosed;
            bool isWaiting = offset >= _length && !_isEnded && !_isClosed;
            // Continuations elsewhere: a reader must not run on the thread that hears the worker.
            changed = isWaiting
                ? (_changed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task
                : Task.CompletedTask;
            return offset >= _length ? default : _bytes.AsMemory((int)offset, _length - (int)offset);
        }
    }
}
