using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// A lease from its arrival until the coordinator needs to hear no more of it. <see cref="LeaseTable"/> moves it:
/// <code>
/// Running -> Owed     -> forgotten   (its report is answered)
///    |   `-> Returned -> forgotten   (the worker leaves, and says goodbye; before its command starts, as soon as it drains, or
///    |                                when the coordinator calls it back and says that it has it)
///    `---------------->  forgotten   (the coordinator does not want it: its processes are dead)
/// </code>
/// </summary>
internal sealed class HeldLease : IDisposable
{
    private readonly CancellationTokenSource _unwanted = new();
    private readonly CancellationTokenSource _stop;
    private readonly TaskCompletionSource _dead = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public HeldLease(LeaseKey key)
    {
        Key = key;
        _stop = CancellationTokenSource.CreateLinkedTokenSource(_unwanted.Token);
        Unwanted = _unwanted.Token;
        Stop = _stop.Token;
    }

    public LeaseKey Key { get; }

    public LeaseState State { get; set; }

    /// <summary>Its command may have begun to run.</summary>
    public bool HasStarted { get; set; }

    /// <summary>How long it then had waited for a slot.</summary>
    public TimeSpan Waited { get; set; }

    /// <summary>It is to be given back, and must not begin.</summary>
    public bool IsRecalled { get; set; }

    /// <summary>The coordinator wants neither the attempt nor its report.</summary>
    public CancellationToken Unwanted { get; }

    /// <summary>The attempt is to end: nobody wants it, or the worker leaves.</summary>
    public CancellationToken Stop { get; }

    /// <summary>Completes when nothing of the attempt runs any more.</summary>
    public Task WhenDead => _dead.Task;

    public void Died() => _dead.SetResult();

    public void Cancel() => Cancel(_unwanted);

    public void HandBack() => Cancel(_stop);

    public void Dispose()
    {
        _stop.Dispose();
        _unwanted.Dispose();
    }

    private static void Cancel(CancellationTokenSource source)
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It was forgotten in the same instant: nothing is left to cancel.
        }
    }
}
