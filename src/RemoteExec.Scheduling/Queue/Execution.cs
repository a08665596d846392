using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Scheduling;

/// <summary>One de-duplicated piece of work. Its state moves by <see cref="ExecutionTable"/> alone.</summary>
internal sealed class Execution(ExecutionId id, ExecutionRequest request, PlatformQueue queue, long sequence, DateTimeOffset now)
{
    private readonly List<LostAttempt> _lost = [];

    public ExecutionId Id { get; } = id;

    public ExecutionRequest Request { get; } = request;

    public PlatformQueue Queue { get; } = queue;

    /// <summary>The place in the line: given once, kept over requeues, so that bad luck does not send anyone to the end.</summary>
    public long Sequence { get; } = sequence;

    /// <summary>The most urgent priority of those who wait. Only the queue changes it, since it is part of a sort key.</summary>
    public int Priority { get; set; } = request.Priority;

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

    public DateTimeOffset QueuedAt { get; } = now;

    /// <summary>Since when it waits this time.</summary>
    public DateTimeOffset WaitingSince { get; private set; } = now;

    public DateTimeOffset? LeasedAt { get; private set; }

    public DateTimeOffset? StartedAt { get; private set; }

    public DateTimeOffset? CompletedAt { get; private set; }

    public ExecutionOutcome? Outcome { get; private set; }

    /// <summary>The completion hook has run: from here on waiters know, and nobody joins any more.</summary>
    public bool IsPublished { get; set; }

    public List<Operation> Operations { get; } = [];

    public IReadOnlyList<LostAttempt> Lost => _lost;

    public LeaseId LeaseId => new(Id, Attempt);

    /// <summary>The lease is the current one. Anything else is stale.</summary>
    [MemberNotNullWhen(true, nameof(Holder))]
    public bool IsHeldUnder(LeaseId lease) => Holder is not null && lease == LeaseId;

    public void Lease(Worker worker, int attempt, DateTimeOffset now)
    {
        Move(ExecutionEvent.Lease);
        Debug.Assert(attempt > Attempt, "an attempt number was used twice");
        Attempt = attempt;
        Holder = worker;
        WorkerId = worker.Id;
        Pool = worker.Description.Pool;
        LeasedAt = now;
        StartedAt = null;
    }

    public void Start(DateTimeOffset now)
    {
        Move(ExecutionEvent.Start);
        StartedAt ??= now;
    }

    public void Requeue(LostAttempt lost)
    {
        Move(ExecutionEvent.Lose);
        Remember(lost);
        Holder = null;
        WaitingSince = lost.At;
        LeasedAt = null;
        StartedAt = null;
    }

    public void Complete(ExecutionEvent @event, ExecutionOutcome outcome, DateTimeOffset now)
    {
        Move(@event);
        Debug.Assert(State == ExecutionState.Completed, "only an ending completes");
        Holder = null;
        Outcome = outcome;
        CompletedAt = now;
    }

    /// <summary>Also how a replay puts back what happened before a compaction.</summary>
    public void Remember(LostAttempt lost)
    {
        _lost.Add(lost);
        Attempt = lost.Attempt;
        Losses = lost.Losses;
        WorkerId = lost.WorkerId ?? WorkerId;
    }

    public bool Can(ExecutionEvent @event) => ExecutionTable.Next(State, @event) is not null;

    private void Move(ExecutionEvent @event) =>
        State = ExecutionTable.Next(State, @event)
            ?? throw new UnreachableException($"{@event} cannot happen to an execution that is {State}");
}
