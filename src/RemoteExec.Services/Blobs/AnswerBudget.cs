using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// The bytes of large answers that have not left, over all calls. A client may have as many calls as its connection has streams and take no
/// byte of any: each answer would lie here whole. So an answer takes its bytes before its blobs are read and gives them back when it has
/// left. Who finds none waits: first come, first served, but for those whose connection has its share already.
/// </summary>
internal sealed class AnswerBudget(long bytesMax, TimeProvider time)
{
    // One frame: less is hardly more than the call itself takes.
    public const int SmallBytesMax = 16 << 10;

    // Whoever waits for longer is told to come back: of Bazel's minute for a call (--remote_timeout) most is left for the blobs.
    public static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(20);

    // One connection that takes nothing leaves three quarters to the others.
    private readonly long _shareMax = bytesMax / 4;
    private readonly Lock _gate = new();
    private readonly LinkedList<Place> _waiting = [];
    private readonly Dictionary<string, long> _heldBytes = []; // by connection
    private long _freeBytes = bytesMax;

    public long HeldBytes
    {
        get { lock (_gate) return _heldBytes.Values.Sum(); }
    }

    /// <inheritdoc cref="TakeAsync(string, long, CancellationToken)"/>
    public ValueTask<IDisposable?> TakeAsync(ServerCallContext context, long bytes) =>
        // The package writes the name anew for each call, and hardly any answer is large.
        bytes <= SmallBytesMax ? default : TakeAsync(context.Peer, bytes, context.CancellationToken);

    /// <returns>To be disposed when the answer has left; null for a small one, which holds nothing.</returns>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED with RetryInfo: too little became free in time.</exception>
    public async ValueTask<IDisposable?> TakeAsync(string connection, long bytes, CancellationToken cancellationToken)
    {
        if (bytes <= SmallBytesMax) return null;

        var place = Enter(connection, bytes);
        try
        {
            await place.Granted.WaitAsync(WaitMax, time, cancellationToken);
            return place;
        }
        catch (Exception failure)
        {
            place.Dispose(); // it may have been granted at this very moment
            if (failure is not TimeoutException) throw;
            throw RpcErrors.Exhausted("too many large answers are under way, which their clients have not taken yet; try again");
        }
    }

    /// <inheritdoc cref="TryTake(string, long, out IDisposable?)"/>
    public bool TryTake(ServerCallContext context, long bytes, out IDisposable? held)
    {
        held = null;
        return bytes <= SmallBytesMax || TryTake(context.Peer, bytes, out held);
    }

    /// <summary>The same for what an answer can do without: it takes its turn, but does not wait for it.</summary>
    public bool TryTake(string connection, long bytes, out IDisposable? held)
    {
        held = null;
        if (bytes <= SmallBytesMax) return true;

        var place = Enter(connection, bytes);
        if (!place.Granted.IsCompleted)
        {
            place.Dispose();
            return false;
        }

        held = place;
        return true;
    }

    private Place Enter(string connection, long bytes)
    {
        // One that is larger than a share would wait for ever.
        var place = new Place(this, connection, Math.Min(bytes, _shareMax));
        lock (_gate)
        {
            place.Waiting = _waiting.AddLast(place);
            Grant();
        }

        return place;
    }

    /// <summary>Under the lock.</summary>
    private void Grant()
    {
        for (var node = _waiting.First; node is not null;)
        {
            var (place, next) = (node.Value, node.Next);
            long held = _heldBytes.GetValueOrDefault(place.Connection) + place.Bytes;
            if (held <= _shareMax)
            {
                // Nobody overtakes it: small ones after small ones would keep it waiting for ever.
                if (place.Bytes > _freeBytes) return;

                _waiting.Remove(node);
                place.Waiting = null;
                _heldBytes[place.Connection] = held;
                _freeBytes -= place.Bytes;
                place.Grant();
            }

            node = next;
        }
    }

    private void Return(Place place)
    {
        lock (_gate)
        {
            if (place.IsOver) return;

            place.IsOver = true;
            if (place.Waiting is { } node) _waiting.Remove(node);
            else GiveBack(place);
            Grant();
        }
    }

    private void GiveBack(Place place)
    {
        _freeBytes += place.Bytes;
        long left = _heldBytes[place.Connection] - place.Bytes;
        if (left == 0) _heldBytes.Remove(place.Connection);
        else _heldBytes[place.Connection] = left;
    }

    /// <summary>One answer's bytes, waited for or held; its state is guarded by the budget's lock.</summary>
    private sealed class Place(AnswerBudget budget, string connection, long bytes) : IDisposable
    {
        private readonly TaskCompletionSource _granted = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Connection => connection;

        public long Bytes => bytes;

        /// <summary>Null when it was granted.</summary>
        public LinkedListNode<Place>? Waiting { get; set; }

        public bool IsOver { get; set; }

        public Task Granted => _granted.Task;

        public void Grant() => _granted.SetResult();

        public void Dispose() => budget.Return(this);
    }
}
