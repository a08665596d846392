using System.IO.Pipelines;

namespace RemoteExec.Rpc;

/// <summary>
/// Where a client writes request messages. One buffer, handed to the HTTP/2 stream in one piece by each flush,
/// which waits for the connection if it is not there yet.
/// </summary>
internal sealed class RequestPipe : PipeWriter
{
    private const int FirstBytes = 16 * 1024;

    private readonly TaskCompletionSource<Stream?> _stream = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private byte[] _buffer = [];
    private int _count;
    private bool _isClosed;

    /// <summary>True once a connection has taken the request: from then on it cannot be sent again.</summary>
    public bool IsConnected => _stream.Task.IsCompletedSuccessfully;

    /// <summary>Completes when the last message is written.</summary>
    public Task Ended => _end.Task;

    public void Connect(Stream stream) => _stream.TrySetResult(stream);

    /// <summary>The call is over: whoever writes, or waits to, learns that the peer wants no more.</summary>
    public void Close()
    {
        _isClosed = true;
        _stream.TrySetResult(null);
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
        try
        {
            var stream = _isClosed ? null : await _stream.Task.WaitAsync(cancellationToken);
            if (stream is not null)
            {
                await stream.WriteAsync(_buffer.AsMemory(0, _count), cancellationToken);
                await stream.FlushAsync(cancellationToken);
                _count = 0;
                return new FlushResult(isCanceled: false, isCompleted: false);
            }
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested
            && exception is IOException or HttpRequestException or OperationCanceledException or ObjectDisposedException)
        {
            // The stream is closed under us: the call has its status, or soon will, and that says why.
        }

        _count = 0;
        return new FlushResult(isCanceled: false, isCompleted: true);
    }

    public override void CancelPendingFlush() => Close();

    public override void Complete(Exception? exception = null) => _end.TrySetResult();

    private void Reserve(int bytes)
    {
        if (_buffer.Length - _count >= bytes) return;
        var larger = GC.AllocateUninitializedArray<byte>(Math.Max(FirstBytes, Math.Max(_count + bytes, _buffer.Length * 2)));
        _buffer.AsSpan(0, _count).CopyTo(larger);
        _buffer = larger;
    }
}
