using System.IO.Pipelines;
using Grpc.Core;
using Microsoft.AspNetCore.Http.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// The bytes of a request as Grpc.AspNetCore reads them, with an end to every wait: the idle limit of the method, and for streams without
/// an end the server's leaving. Whatever of this the transport fails means one thing: the client has left. Kestrel tells that by exceptions
/// of several types, from any of these methods, and often before it cancels the call's token.
/// </summary>
internal sealed class RequestBody : PipeReader, IRequestBodyPipeFeature, IDisposable
{
    private readonly PipeReader _inner;
    private readonly StallTimer _idle;
    private volatile bool _isInterrupted;

    public RequestBody(PipeReader inner, TimeProvider time, TimeSpan idleMax)
    {
        _inner = inner;
        _idle = new StallTimer(time, idleMax, CancelPendingRead);
    }

    public PipeReader Reader => this;

    /// <summary>How long the client may send nothing while its next bytes are waited for.</summary>
    public TimeSpan IdleMax
    {
        set => _idle.WaitMax = value;
    }

    public bool HasClientLeft { get; private set; }

    /// <summary>Ends the read that waits, or the next one: nothing more is wanted of this client.</summary>
    public void Interrupt()
    {
        _isInterrupted = true;
        CancelPendingRead();
    }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        ValueTask<ReadResult> read;
        try
        {
            read = _inner.ReadAsync(cancellationToken);
        }
        catch (Exception failure)
        {
            throw Told(failure, cancellationToken);
        }

        if (!read.IsCompletedSuccessfully) return WaitAsync(read, cancellationToken);
        var result = read.Result;
        return new ValueTask<ReadResult>(result.IsCanceled ? Interrupted(result) : result);
    }

    public override bool TryRead(out ReadResult result)
    {
        try
        {
            return _inner.TryRead(out result);
        }
        catch (Exception gone)
        {
            throw Left(gone);
        }
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    // Also this is where a reset may show first, under a message that was read whole.
    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        try
        {
            _inner.AdvanceTo(consumed, examined);
        }
        catch (Exception gone)
        {
            throw Left(gone);
        }
    }

    public override void CancelPendingRead() => EndUnlessLeft(_inner.CancelPendingRead);

    public override void Complete(Exception? exception = null) => EndUnlessLeft(() => _inner.Complete(exception));

    public void Dispose() => _idle.Dispose();

    private async ValueTask<ReadResult> WaitAsync(ValueTask<ReadResult> read, CancellationToken cancellationToken)
    {
        ReadResult result;
        _idle.Arm();
        try
        {
            result = await read;
        }
        catch (Exception failure)
        {
            throw Told(failure, cancellationToken);
        }
        finally
        {
            _idle.Disarm(); // a wait that was cancelled is over as well
        }

        return result.IsCanceled ? Interrupted(result) : result;
    }

    /// <summary>An end that somebody on this side asked for is that; everything else is the client's.</summary>
    private Exception Told(Exception failure, CancellationToken cancellationToken) =>
        failure is OperationCanceledException && (cancellationToken.IsCancellationRequested || _isInterrupted) ? failure : Left(failure);

    private OperationCanceledException Left(Exception gone)
    {
        HasClientLeft = true;
        return new OperationCanceledException("the client has left", gone);
    }

    /// <summary>For what ends a read: it has ended by itself when the client has left, and whoever reads is told so.</summary>
    private void EndUnlessLeft(Action end)
    {
        try
        {
            end();
        }
        catch (Exception)
        {
            HasClientLeft = true;
        }
    }

    private ReadResult Interrupted(in ReadResult result)
    {
        AdvanceTo(result.Buffer.Start);
        if (_idle.HasFired)
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"the client has sent nothing for {_idle.WaitMax.TotalSeconds} s"));
        throw new OperationCanceledException("the call ended during a read");
    }
}
