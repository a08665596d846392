using System.IO.Pipelines;

namespace RemoteExec.Rpc;

/// <summary>
/// Where a client writes request messages. One buffer, handed to the HTTP/2 stream in one piece by each flush,
/// which waits for the connection if it is not there yet.
/// </summary>
/// <param name="abandon">cancels the call: a write that is cancelled may have sent half a message, so nothing can follow it</param>
internal sealed class RequestPipe(Action abandon) : PipeWriter
{
    private const int FirstBytes = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource<Stream?> _stream = NewSource();
    private byte[] _buffer = [];
    private int _count;
    private bool _isCommitted;
    private volatile bool _isClosed;

    /// <summary>Completes when the last message is written.</summary>
    public Task Ended => _end.Task;

    /// <summary>
    /// Takes the stream of an attempt. False: an earlier one was given messages, which are not kept. .NET's handler
    /// makes attempts of its own, where a GOAWAY or REFUSED_STREAM says that nothing was processed.
    /// </summary>
    public bool TryConnect(Stream stream)
    {
        lock (_gate)
        {
            if (_isCommitted) return false;
            if (!_isClosed) Supply(stream);
            return true;
        }
    }

    /// <summary>An attempt has failed: the next flush waits for another. False: it was given messages already.</summary>
    public bool TryDisconnect()
    {
        lock (_gate)
        {
            if (_isCommitted) return false;
            if (!_isClosed && _stream.Task.IsCompleted) _stream = NewSource();
            return true;
        }
    }

    /// <summary>The call is over: whoever writes, or waits to, learns that the peer wants no more.</summary>
    public void Close()
    {
        lock (_gate)
        {
            _isClosed = true;
            Supply(null);
        }

        _end.TrySetResult();
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _buffer.AsMemory(_count);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _buffer.AsSpan(_count);
    }

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _buffer.Length - _count);
        _count += bytes;
    }

    public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_count == 0) return new FlushResult(isCanceled: false, isCompleted: _isClosed);
        // The token goes to the call, and the call's end to the stream: else the stream's end comes first, as a failure.
        using var registration = cancellationToken.UnsafeRegister(static abandon => ((Action)abandon!).Invoke(), abandon);
        try
        {
            if (await CommitAsync() is { } stream)
            {
                await stream.WriteAsync(_buffer.AsMemory(0, _count), CancellationToken.None);
                await stream.FlushAsync(CancellationToken.None);
                _count = 0;
                return new FlushResult(isCanceled: false, isCompleted: false);
            }
        }
        catch (Exception exception) when (exception is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException)
        {
            // The stream is closed under us: the call has its status, or soon will, and that says why.
        }

        _count = 0;
        cancellationToken.ThrowIfCancellationRequested();
        return new FlushResult(isCanceled: false, isCompleted: true);
    }

    public override void CancelPendingFlush() => Close();

    public override void Complete(Exception? exception = null) => _end.TrySetResult();

    private static TaskCompletionSource<Stream?> NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    private void Supply(Stream? stream)
    {
        if (_stream.TrySetResult(stream)) return;
        _stream = NewSource();
        _stream.SetResult(stream);
    }

    /// <summary>Waits for the stream of the present attempt, which from then on is the last; null when the call is over.</summary>
    private async ValueTask<Stream?> CommitAsync()
    {
        while (true)
        {
            Task<Stream?> connected;
            lock (_gate) connected = _stream.Task;
            var stream = await connected;
            lock (_gate)
            {
                if (connected != _stream.Task) continue; // that attempt has failed meanwhile
                _isCommitted = true;
                return stream;
            }
        }
    }

    private void Reserve(int bytes)
    {
        if (_buffer.Length - _count >= bytes) return;
        var larger = GC.AllocateUninitializedArray<byte>(Math.Max(FirstBytes, Math.Max(_count + bytes, _buffer.Length * 2)));
        _buffer.AsSpan(0, _count).CopyTo(larger);
        _buffer = larger;
    }
}
