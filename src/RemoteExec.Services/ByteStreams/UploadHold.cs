using Grpc.Core;

namespace RemoteExec.Services;

/// <summary>One call's hold on an upload. Disposing it lets the upload wait for its client, or forgets it when it is over.</summary>
internal sealed class UploadHold(Uploads uploads, Upload upload, CancellationToken call) : IAsyncDisposable
{
    // Not disposed: somebody may be about to interrupt, and it has no timer of its own.
    private readonly CancellationTokenSource _over = CancellationTokenSource.CreateLinkedTokenSource(call);
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Upload Upload => upload;

    /// <summary>Fires when the call ends, and when it shall.</summary>
    public CancellationToken CancellationToken => _over.Token;

    /// <summary>Why the call shall end; null when it ends by itself.</summary>
    public RpcException? Interruption { get; private set; }

    /// <summary>Completes when the call has let go.</summary>
    public Task Released => _released.Task;

    /// <summary>Asks the call to end.</summary>
    public async ValueTask InterruptAsync(StatusCode code, string reason)
    {
        Interruption ??= new RpcException(new Status(code, reason));
        await _over.CancelAsync();
    }

    public async ValueTask DisposeAsync()
    {
        bool isKept = false;
        try
        {
            isKept = await upload.LetGoAsync();
        }
        finally
        {
            try
            {
                // Out of the table before it is forgotten: a newcomer makes its own.
                await uploads.ReleaseAsync(upload, isKept);
                if (!isKept) await upload.ForgetAsync();
            }
            finally
            {
                _released.SetResult();
            }
        }
    }
}
