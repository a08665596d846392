using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// The bytes of a response as Grpc.AspNetCore writes them. Kestrel takes no more from the moment in which a client resets its stream, and
/// says so by the result of a flush and by nothing else: the call's token comes later, from a queue. The package drops that result.
/// </summary>
internal sealed class ResponseBody(IHttpResponseBodyFeature inner) : PipeWriter, IHttpResponseBodyFeature
{
    private readonly PipeWriter _inner = inner.Writer;

    public PipeWriter Writer => this;

    public Stream Stream => inner.Stream;

    /// <summary>Or else we have ended the stream ourselves.</summary>
    public bool HasClientLeft { get; private set; }

    public override bool CanGetUnflushedBytes => _inner.CanGetUnflushedBytes;

    public override long UnflushedBytes => _inner.UnflushedBytes;

    public override Memory<byte> GetMemory(int sizeHint = 0) => _inner.GetMemory(sizeHint);

    public override Span<byte> GetSpan(int sizeHint = 0) => _inner.GetSpan(sizeHint);

    public override void Advance(int bytes) => _inner.Advance(bytes);

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => Watch(_inner.FlushAsync(cancellationToken));

    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
        Watch(_inner.WriteAsync(source, cancellationToken));

    public override void CancelPendingFlush() => _inner.CancelPendingFlush();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    public void DisableBuffering() => inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken) => inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken) =>
        inner.SendFileAsync(path, offset, count, cancellationToken);

    public Task CompleteAsync() => inner.CompleteAsync();

    private ValueTask<FlushResult> Watch(ValueTask<FlushResult> flush) =>
        flush.IsCompletedSuccessfully ? new ValueTask<FlushResult>(Noted(flush.Result)) : WaitAsync(flush);

    // Pooled: most flushes wait until the connection has taken what there is.
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<FlushResult> WaitAsync(ValueTask<FlushResult> flush)
    {
        var result = await flush;
        // A reset drops what there is, which ends the wait as if it had been taken. Asked again, with nothing left to take, the answer is sure.
        return Noted(result.IsCompleted ? result : await AskAgainAsync());
    }

    private async ValueTask<FlushResult> AskAgainAsync()
    {
        try
        {
            return await _inner.FlushAsync(CancellationToken.None);
        }
        catch (InvalidOperationException)
        {
            return new FlushResult(isCanceled: false, isCompleted: true); // the package has ended the response meanwhile, at a deadline
        }
    }

    /// <summary>Nobody takes more: the client has left, or what it is told is told.</summary>
    private FlushResult Noted(FlushResult result)
    {
        if (result.IsCompleted) HasClientLeft = true;
        return result;
    }
}
