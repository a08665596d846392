using System.IO.Pipelines;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// The bytes of a request as Grpc.AspNetCore reads them, with an end to every wait: the idle limit of the method, and for streams without
/// an end the server's leaving. A read that the transport fails means one thing: the client has left. Kestrel tells that by exceptions
/// of several types, and often before it cancels the call's token.
/// </summary>
internal sealed class RequestBody : PipeReader, IRequestBodyPipeFeature, IDisposable
{
    private readonly PipeReader _inner;
    private readonly TimeSpan _idleMax;
    private readonly StallTimer _idle;
    private volatile bool _isInterrupted;

    public RequestBody(PipeReader inner, TimeProvider time, TimeSpan idleMax)
    {
        _inner = inner;
        _idleMax = idleMax;
        _idle = new StallTimer(time, idleMax, inner.CancelPendingRead);
    }

    public PipeReader Reader => this;

    public bool HasClientLeft { get; private set; }

    /// <summary>Ends the read that waits, or the next one: nothing more is wanted of this client.</summary>
    public void Interrupt()
    {
        _isInterrupted = true;
        _inner.CancelPendingRead();
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ValueTask<ReadResult> read;
        try
        {
            read = _inner.ReadAsync(cancellationToken);
        }
        catch (Exception gone) when (!cancellationToken.IsCancellationRequested)
        {
            throw Left(gone);
        }

        if (!read.IsCompletedSuccessfully) return WaitAsync(read, cancellationToken);
        var result = read.Result;
        return new ValueTask<ReadResult>(result.IsCanceled ? Interrupted(result) : result);
    }

    public override bool TryRead(out ReadResult result) => _inner.TryRead(out result);

    public override void AdvanceTo(SequencePosition consumed) => _inner.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => _inner.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => _inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _inner.Complete(exception);

    public void Dispose() => _idle.Dispose();

    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read, CancellationToken cancellationToken)
    {
        _idle.Arm();
        try
        {
            var result = await read;
            return result.IsCanceled ? Interrupted(result) : result;
        }
        catch (Exception gone) when (gone is not RpcException && !cancellationToken.IsCancellationRequested && !_isInterrupted)
        {
            throw Left(gone);
        }
        finally
        {
            _idle.Disarm(); // a wait that was cancelled is over as well
        }
    }

    private OperationCanceledException Left(Exception gone)
    {
        HasClientLeft = true;
        return new OperationCanceledException("the client has left", gone);
    }

    private ReadResult Interrupted(in ReadResult result)
    {
        _inner.AdvanceTo(result.Buffer.Start);
        if (_idle.HasFired)
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"the client has sent nothing for {_idleMax.TotalSeconds} s"));
        throw new OperationCanceledException("the call ended during a read");
    }
}
