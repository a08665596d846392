namespace RemoteExec.Worker;

/// <summary>Room for so many commands at a time. Who waits is served in the order of the coordinator's queue, in which it is still.</summary>
internal sealed class CommandSlots(int count)
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<Place, TaskCompletionSource> _waiting = [];
    private int _free = count;
    private long _number;

    /// <summary>Those who wait; who gives up does not.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate) return _waiting.Count;
        }
    }

    /// <param name="priority">Lower first.</param>
    /// <param name="queued">Then whoever was asked for earlier.</param>
    public async Task TakeAsync(int priority, DateTimeOffset queued, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var turn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Place place;
        lock (_gate)
        {
            if (_free > 0)
            {
                _free--;
                return;
            }

            place = new Place(priority, queued, _number++);
            _waiting.Add(place, turn);
        }

        await using (cancellationToken.UnsafeRegister((_, token) => Leave(place, turn, token), null)) await turn.Task;
    }

    public void Release()
    {
        TaskCompletionSource next;
        lock (_gate)
        {
            if (_waiting.Count == 0)
            {
                _free++;
                return;
            }

            (var first, next) = _waiting.First();
            _waiting.Remove(first);
        }

        next.SetResult();
    }

    private void Leave(Place place, TaskCompletionSource turn, CancellationToken token)
    {
        // Who is not here any more has been given its slot, and gives it back.
        lock (_gate)
        {
            if (!_waiting.Remove(place)) return;
        }

        turn.SetCanceled(token);
    }

    private readonly record struct Place(int Priority, DateTimeOffset Queued, long Number) : IComparable<Place>
    {
        public int CompareTo(Place other) => (Priority, Queued, Number).CompareTo((other.Priority, other.Queued, other.Number));
    }
}
