using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace RemoteExec.Scheduling;

/// <summary>
/// One client watching one operation. Disposing it says that the client is gone; an operation that nobody watches is
/// cancelled: at once when its client has said so, else after <see cref="SchedulerOptions.AbandonedGrace"/>.
/// </summary>
public sealed class OperationFeed : IDisposable
{
    private readonly OperationCell _cell;
    private readonly TimeProvider _time;
    private Action? _onDispose;

    internal OperationFeed(OperationCell cell, TimeProvider time, Action onDispose) => (_cell, _time, _onDispose) = (cell, time, onDispose);

    public string Name => _cell.Current.Name;

    /// <summary>The newest durable state.</summary>
    public OperationSnapshot Current => _cell.Current;

    /// <summary>
    /// The present state, then each change, and the same state again after a silence (REAPI E16: streams beat). Ends
    /// after the state that is done, or with an exception: never otherwise.
    /// </summary>
    /// <exception cref="SchedulingException">The end will not be told here: UNAVAILABLE, and the client should attach again.</exception>
    public async IAsyncEnumerable<OperationSnapshot> ReadAllAsync(
        TimeSpan resendAfter, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        OperationSnapshot? seen = null;
        while (true)
        {
            var current = _cell.Read(seen, out var changed);
            if (!ReferenceEquals(current, seen))
            {
                yield return current;
                seen = current;
                if (current.IsDone) yield break;
            }
            else if (!await ChangedAsync(changed, resendAfter, cancellationToken))
            {
                yield return current;
            }
        }
    }

    /// <summary>The end of the operation.</summary>
    /// <inheritdoc cref="ReadAllAsync" path="/exception"/>
    public async ValueTask<OperationSnapshot> WaitAsync(CancellationToken cancellationToken)
    {
        await foreach (var operation in ReadAllAsync(Timeout.InfiniteTimeSpan, cancellationToken))
        {
            if (operation.IsDone) return operation;
        }

        throw new UnreachableException("a feed ends with a state that is done or with an exception");
    }

    public void Dispose() => Interlocked.Exchange(ref _onDispose, null)?.Invoke();

    private async ValueTask<bool> ChangedAsync(Task changed, TimeSpan resendAfter, CancellationToken cancellationToken)
    {
        try
        {
            await changed.WaitAsync(resendAfter, _time, cancellationToken);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }
}
