using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Scheduling;

/// <summary>
/// One de-duplicated piece of work. Its state moves by <see cref="ExecutionTable"/> alone, and whatever the sets of
/// <see cref="Filing"/> are sorted by changes only while it is taken out of them.
/// </summary>
internal sealed class Execution(ExecutionId id, ExecutionRequest request, PlatformQueue queue, long sequence, Instant queued, Instant now)
{
    // Attempts that were handed back cost nothing, so their number has no bound of its own; the story needs no more than these.
    private const int LostMax = 16;

    /// <summary>The <see cref="NotBefore"/> of one that waits for inputs: no time is as late.</summary>
    public static readonly TimeSpan HeldUntil = TimeSpan.MaxValue;

    private readonly List<LostAttempt> _lost = [];

    public ExecutionId Id => id;

    public ExecutionRequest Request { get; private set; } = request;

    public PlatformQueue Queue => queue;

    /// <summary>The place in the line: given once, kept over requeues, so that bad luck does not send anyone to the end.</summary>
    public long Sequence => sequence;

    /// <summary>Its place in <see cref="Filing.All"/>.</summary>
    public LinkedListNode<Execution> Node => field ??= new LinkedListNode<Execution>(this);

    /// <summary>It stands in the sets, and so must not change.</summary>
    public bool IsFiled { get; set; }

    /// <summary>The most urgent priority of those who wait.</summary>
    public int Priority { get; private set; } = request.Priority;

    /// <summary>A client is there and waits for it.</summary>
    public bool IsWatched { get; private set; } = true;

    public ExecutionState State { get; private set; } = ExecutionState.Queued;

    /// <summary>The fencing token: the number of the current or last lease, 0 before the first.</summary>
    public int Attempt { get; private set; }

    /// <summary>Attempts that ended through no fault of the action. A lease handed back in good order is not one of them.</summary>
    public int Losses { get; private set; }

    /// <summary>Who holds the current lease; null unless leased or running.</summary>
    public Worker? Holder { get; private set; }

    /// <summary>Who held the last lease.</summary>
    public string? WorkerId { get; private set; }

    /// <summary>The pool of that worker; empty before the first lease.</summary>
    public string Pool { get; private set; } = "";

    public Instant Queued => queued;

    /// <summary>Since when it waits this time, monotonic.</summary>
    public TimeSpan WaitingSince { get; private set; } = now.Monotonic;

    /// <summary>Monotonic: until then it waits out a lost attempt, and nobody is given it. Null when it may be given out.</summary>
    public TimeSpan? NotBefore { get; private set; }

    /// <summary>It waits for inputs that are being made, however long that takes.</summary>
    public bool IsHeld => NotBefore == HeldUntil;

    public Instant? Leased { get; private set; }

    /// <summary>It was given to a worker whose slots were all taken, and waits there. Until it begins it may be called back.</summary>
    public bool IsAhead { get; private set; }

    /// <summary>It was called back, and has neither come nor begun.</summary>
    public bool IsRecalled { get; private set; }

    /// <summary>Whose slot is kept for it while it is called back; null when it only makes room.</summary>
    public Worker? KeptAt { get; private set; }

    /// <summary>The lease under which it was last called back: its answer may be late.</summary>
    public LeaseId? RecalledUnder { get; private set; }

    /// <summary>How often it was called back: which of its recalls is the last.</summary>
    public int Recalls { get; private set; }

    /// <summary>Something behind it was called back to make room for it, in this wait.</summary>
    public bool HasDisplaced { get; set; }

    /// <summary>The one for which it was called back to make room.</summary>
    public Execution? GivesWayTo { get; set; }

    /// <summary>How often something behind it has begun elsewhere while it was the first that waits at a worker.</summary>
    public int Passes { get; set; }

    /// <summary>That was often enough: where it can run, nothing behind it is given out ahead any more.</summary>
    public bool IsPassed { get; set; }

    public Instant? Started { get; private set; }

    /// <summary>How long it waited for one of its holder's slots, behind the lease; until it begins, as far as we can tell.</summary>
    public TimeSpan WaitedThere { get; private set; }

    public DateTimeOffset? CompletedAt { get; private set; }

    public ExecutionOutcome? Outcome { get; private set; }

    /// <summary>The completion hook has run: from here on waiters know, and nobody joins any more.</summary>
    public bool IsPublished { get; set; }

    public List<Operation> Operations { get; } = [];

    public IReadOnlyList<LostAttempt> Lost => _lost;

    /// <summary>The attempts that a client need know of: those that cost one, and the present one.</summary>
    public int Tries => Losses + (Attempt > (_lost.Count > 0 ? _lost[^1].Attempt : 0) ? 1 : 0);

    public LeaseId LeaseId => new(Id, Attempt);

    /// <summary>The lease is the current one. Anything else is stale.</summary>
    [MemberNotNullWhen(true, nameof(Holder))]
    public bool IsHeldUnder(LeaseId lease) => Holder is not null && lease == LeaseId;

    /// <summary>Everyone who waits gains from the most urgent of them.</summary>
    public void Hurry(int priority)
    {
        MustBeOut();
        Priority = priority;
    }

    /// <summary>What is stored for several is stored for the one who needs it most.</summary>
    public void KeepResult(int priority)
    {
        if (priority < Request.ResultPriority) Request = Request with { ResultPriority = priority };
    }

    public void Regard(bool isWatched)
    {
        MustBeOut();
        IsWatched = isWatched;
    }

    /// <param name="isAhead">All its slots are taken.</param>
    public void Lease(Worker worker, int attempt, bool isAhead, Instant at)
    {
        Move(ExecutionEvent.Lease);
        Debug.Assert(attempt > Attempt, "an attempt number was used twice");
        Attempt = attempt;
        Holder = worker;
        WorkerId = worker.Id;
        Pool = worker.Description.Pool;
        Leased = at;
        Started = null;
        NotBefore = null;
        IsAhead = isAhead;
        WaitedThere = TimeSpan.Zero;
        HasDisplaced = false;
        (Passes, IsPassed) = (0, false);
    }

    /// <summary>A slot of its holder is free for it, or it is to stay for another reason.</summary>
    public void Stay(Instant now)
    {
        MustBeOut();
        IsAhead = false;
        if (Leased is { } leased) WaitedThere = now - leased;
    }

    /// <summary>The slot that was free for it was taken by another.</summary>
    public void WaitAgain()
    {
        MustBeOut();
        IsAhead = true;
    }

    public void Recall(Worker? keptAt)
    {
        MustBeOut();
        (IsRecalled, KeptAt, RecalledUnder) = (true, keptAt, LeaseId);
        Recalls++;
    }

    /// <summary>It has come, or will not.</summary>
    /// <returns>Whose slot was kept.</returns>
    public Worker? EndRecall()
    {
        var keptAt = KeptAt;
        (IsRecalled, KeptAt, GivesWayTo) = (false, null, null);
        return keptAt;
    }

    /// <param name="waited">For one of its holder's slots; not more than there was time for.</param>
    public void Start(TimeSpan waited, Instant now)
    {
        Move(ExecutionEvent.Start);
        IsAhead = false;
        WaitedThere = TimeSpan.Zero;
        Started ??= now;
        HaveWaited(waited);
    }

    /// <summary>Its worker says so, perhaps again.</summary>
    public void HaveWaited(TimeSpan waited)
    {
        if (waited <= WaitedThere || Leased is not { } leased || Started is not { } started) return;
        WaitedThere = waited < started - leased ? waited : started - leased;
    }

    /// <param name="notBefore">When it may be given out again; null at once.</param>
    public void Requeue(LostAttempt lost, TimeSpan? notBefore, Instant now)
    {
        Move(ExecutionEvent.Lose);
        Remember(lost);
        Holder = null;
        WaitingSince = now.Monotonic;
        NotBefore = notBefore;
        Leased = null;
        Started = null;
        IsAhead = false;
    }

    /// <summary>Its inputs are being made.</summary>
    public void Hold()
    {
        MustBeOut();
        NotBefore = HeldUntil;
    }

    /// <summary>It has waited out the lost attempt, or has its inputs.</summary>
    public void BeReady()
    {
        MustBeOut();
        NotBefore = null;
    }

    public void Complete(ExecutionEvent @event, ExecutionOutcome outcome, DateTimeOffset at)
    {
        Move(@event);
        Debug.Assert(State == ExecutionState.Completed, "only an ending completes");
        Holder = null;
        NotBefore = null;
        IsAhead = false;
        Outcome = outcome;
        CompletedAt = at;
    }

    /// <summary>Also how a replay puts back what happened before a compaction.</summary>
    public void Remember(LostAttempt lost)
    {
        if (_lost.Count == LostMax) ForgetOneLost();
        _lost.Add(lost);
        Attempt = lost.Attempt;
        Losses = lost.Losses;
        WorkerId = lost.WorkerId ?? WorkerId;
    }

    public bool Can(ExecutionEvent @event) => ExecutionTable.Next(State, @event) is not null;

    // What was handed back goes first: the others are what a client is told when we give up.
    private void ForgetOneLost()
    {
        int losses = 0;
        int handedBack = _lost.FindIndex(lost =>
        {
            bool hasCost = lost.Losses > losses;
            losses = lost.Losses;
            return !hasCost;
        });
        _lost.RemoveAt(Math.Max(handedBack, 0));
    }

    private void Move(ExecutionEvent @event)
    {
        MustBeOut();
        State = ExecutionTable.Next(State, @event)
            ?? throw new UnreachableException($"{@event} cannot happen to an execution that is {State}");
    }

    private void MustBeOut()
    {
        // Going on would make sets that are sorted by what they do not know.
        if (IsFiled) throw new UnreachableException("an execution changes only while it is taken out");
    }
}

/// <summary>How an attempt came to nothing; together they are the story that a client is told in the end.</summary>
/// <param name="Losses">How many had cost an attempt by then, with this one.</param>
internal sealed record LostAttempt(int Attempt, int Losses, string? WorkerId, string Reason, DateTimeOffset At);
