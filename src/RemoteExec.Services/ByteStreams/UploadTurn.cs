namespace RemoteExec.Services;

/// <summary>One call's hold on an upload. Disposing it lets the upload wait for its client, or forgets it when it is over.</summary>
internal sealed class UploadTurn : IAsyncDisposable
{
    private readonly Uploads _uploads;
    private readonly CancellationTokenSource _takenOver;
    private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public UploadTurn(Uploads uploads, UploadSession session, CancellationToken cancellationToken)
    {
        _uploads = uploads;
        Session = session;
        _takenOver = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        CancellationToken = _takenOver.Token;
    }

    public UploadSession Session { get; }

    /// <summary>Fires when the call ends, or when the client has come back on another connection.</summary>
    public CancellationToken CancellationToken { get; }

    /// <summary>Committed, or broken beyond resuming.</summary>
    public bool IsOver { get; set; }

    public Task Released => _released.Task;

    /// <summary>The client is here again, so this call is a leftover of a connection whose end nobody noticed.</summary>
    public Task TakeOverAsync() => _takenOver.CancelAsync();

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _uploads.LeaveAsync(this);
        }
        finally
        {
            _released.SetResult();
            // Not disposed: a newcomer may be about to cancel it, and it has no timer of its own.
        }
    }
}
