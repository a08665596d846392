namespace RemoteExec.Services.Tests;

/// <summary>Tells when pieces of uploads have arrived.</summary>
internal sealed class Arrivals : IServicesObserver
{
    private TaskCompletionSource _next = NewEvent();

    /// <summary>Completes with the next piece: to be asked for before that is sent.</summary>
    public Task NextAsync() => Volatile.Read(ref _next).Task.WaitAsync(TimeSpan.FromSeconds(60));

    public void BlobReceived(long bytes, bool isCompressed) => Interlocked.Exchange(ref _next, NewEvent()).SetResult();

    private static TaskCompletionSource NewEvent() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
