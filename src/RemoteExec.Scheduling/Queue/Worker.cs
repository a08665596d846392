using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// One worker and what is in its hands. Its state moves by <see cref="WorkerTable"/> alone, and whatever decides about its seat in
/// <see cref="WorkerClass.Free"/> changes only while it is up: <see cref="StandUp"/>.
/// </summary>
internal sealed class Worker(WorkerDescription description, Breaker breaker, long ordinal, Instant now, Action<WorkerMove>? moved)
{
    private readonly Dictionary<LeaseId, Holding> _held = [];

    /// <summary>What it was told to stop and has not confirmed, and whether it has had time enough.</summary>
    private readonly Dictionary<LeaseId, bool> _kills = [];

    private int _ups;
    private int _overdueKills;
    private int _kept;

    public string Id => Description.Id;

    public WorkerDescription Description { get; private set; } = description;

    /// <summary>Null for a worker that is known from the journal only: what it offers is unknown until it is back.</summary>
    public WorkerClass? Class { get; private set; }

    public long Ordinal { get; } = ordinal;

    public WorkerState State { get; private set; } = WorkerState.Joining;

    public Breaker Breaker { get; } = breaker;

    /// <summary>Which connection speaks for this worker; what comes down an older one is ignored. 0 while it has none.</summary>
    public long Session { get; set; }

    /// <summary>A <see cref="Due.WorkerSilent"/> is outstanding: one is enough, however often it rejoins.</summary>
    public bool IsListenedTo { get; set; }

    /// <summary>A <see cref="Due.WorkerNotBack"/> is outstanding.</summary>
    public bool IsAwaited { get; set; }

    public Instant Joined { get; private set; } = now;

    public Instant LastHeard { get; set; } = now;

    /// <summary>Monotonic.</summary>
    public TimeSpan IdleSince { get; private set; } = now.Monotonic;

    /// <summary>Attempts that occupy a slot. A cancelled one stays until the worker is done with it: its processes still run.</summary>
    public IReadOnlyDictionary<LeaseId, Holding> Held => _held;

    /// <summary>It has not confirmed in time that something is dead.</summary>
    public bool IsStuck => _overdueKills > 0;

    /// <summary>What it did not answer for in time when it was called back, the last of it. What it holds no more it need not answer for.</summary>
    public LeaseId? Unanswered { get; set; }

    /// <summary>It has not answered in time when something was called back. Nothing more is, until it answers or says hello.</summary>
    public bool IgnoresRecalls => Unanswered is not null;

    /// <summary>What waits here for a slot, in the order in which it will begin.</summary>
    public SortedSet<Execution> Ahead { get; } = new(PlatformQueue.ByTurn);

    /// <summary>Leases, and slots that are kept for what was called back from elsewhere.</summary>
    public int Taken => _held.Count + _kept;

    /// <summary>What it is given now begins now.</summary>
    public bool HasFreeSlot => Taken < Math.Min(Description.Slots, LeasesMax);

    /// <summary>Also for what only waits here; not while a slot is kept, or that would begin in it.</summary>
    public bool HasRoom => HasFreeSlot || (_kept == 0 && _held.Count < LeasesMax);

    private int LeasesMax => IsStuck ? 0 : State switch
    {
        WorkerState.Ready => Description.LeasesMax,
        WorkerState.Quarantined when Breaker.IsProbing => 1,
        _ => 0,
    };

    /// <summary>
    /// A sorted set must not hold what changes its key: the worker leaves it here, and is back, if it has room, at the end of the
    /// <c>using</c>. While it is up nobody is given to it.
    /// </summary>
    public Standing StandUp()
    {
        if (_ups++ == 0) Class?.Free.Remove(this);
        return new Standing(this);
    }

    public bool Can(WorkerEvent @event) => WorkerTable.Next(State, @event) is not null;

    public void Move(WorkerEvent @event)
    {
        MustBeUp();
        var from = State;
        State = WorkerTable.Next(State, @event)
            ?? throw new UnreachableException($"{@event} cannot happen to a worker that is {State}");
        if (State != from || @event == WorkerEvent.Join)
            Observers.Tell(moved, new WorkerMove(Description, from, State), static (tell, move) => tell(move));
    }

    /// <summary>It says hello, as this.</summary>
    public void Join(WorkerDescription description, long session, Instant now)
    {
        (Description, Session, Joined, LastHeard) = (description, session, now, now);
        Move(WorkerEvent.Join);
        if (Breaker.IsTripped && Can(WorkerEvent.Trip)) Move(WorkerEvent.Trip);
        if (description.IsDraining) Move(WorkerEvent.Drain);
    }

    public void ChangeClass(WorkerClass? to)
    {
        MustBeUp();
        Class?.Members.Remove(this);
        to?.Members.Add(this);
        Class = to;
    }

    public Holding Take(LeaseId lease)
    {
        MustBeUp();
        var holding = new Holding();
        _held.Add(lease, holding);
        if (State == WorkerState.Quarantined) Breaker.Probe = lease;
        return holding;
    }

    /// <summary>A slot is kept for what was called back from elsewhere.</summary>
    public void Keep()
    {
        MustBeUp();
        _kept++;
    }

    /// <summary>It has come, or will not.</summary>
    public void KeepNoMore()
    {
        MustBeUp();
        _kept--;
    }

    /// <summary>It says itself that this is in its hands, whether or not we knew.</summary>
    public void Confirm(LeaseId lease)
    {
        MustBeUp();
        if (!_held.TryGetValue(lease, out var holding)) _held.Add(lease, holding = new Holding());
        holding.IsOffered = true;
        holding.MissingSince = null;
    }

    /// <summary>The lease is in its hands no more, and with it ends every wait for its end.</summary>
    public void Release(LeaseId lease, Instant now)
    {
        MustBeUp();
        if (_kills.Remove(lease, out bool isOverdue) && isOverdue) _overdueKills--;
        if (_held.Remove(lease) && _held.Count == 0) IdleSince = now.Monotonic;
    }

    public void ReleaseAll()
    {
        MustBeUp();
        _held.Clear();
        _kills.Clear();
        _overdueKills = 0;
    }

    /// <summary>False when it has been told before and the wait for its confirmation goes on.</summary>
    public bool BeginKill(LeaseId lease) => _kills.TryAdd(lease, false);

    public IEnumerable<LeaseId> Kills => _kills.Keys;

    /// <summary>Time is up: no more work until it has confirmed.</summary>
    public void KillIsOverdue(LeaseId lease)
    {
        MustBeUp();
        if (!_kills.TryGetValue(lease, out bool isOverdue) || isOverdue) return;

        _kills[lease] = true;
        _overdueKills++;
    }

    public void OpenProbe()
    {
        MustBeUp();
        Breaker.IsProbing = true;
    }

    private void Sit()
    {
        if (--_ups == 0 && HasRoom) Class?.Free.Add(this);
    }

    private void MustBeUp()
    {
        // Going on would make sets that are sorted by what they do not know.
        if (_ups == 0) throw new UnreachableException("a worker changes only while it is up");
    }

    /// <summary>The worker is out of the sorted sets until this is disposed.</summary>
    public readonly ref struct Standing(Worker worker) : IDisposable
    {
        public void Dispose() => worker.Sit();
    }
}
