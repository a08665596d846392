using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// A lease from its arrival until the coordinator has acknowledged its report:
/// <c>running → reported → forgotten</c>, or <c>running → cancelled → forgotten</c>.
/// </summary>
internal sealed class HeldLease : IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();

    public HeldLease(LeaseKey key)
    {
        Key = key;
        Cancelled = _cancellation.Token;
    }

    public LeaseKey Key { get; }

    public CancellationToken Cancelled { get; }

    /// <summary>Set when the attempt is over; sent again after every reconnect until it is acknowledged.</summary>
    public LeaseFinished? Report { get; set; }

    public void Cancel()
    {
        try
        {
            _cancellation.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The attempt ended in the same instant: nothing is left to cancel.
        }
    }

    public void Dispose() => _cancellation.Dispose();
}
