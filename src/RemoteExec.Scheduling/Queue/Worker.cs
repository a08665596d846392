using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <summary>One worker and the slots it uses. Its state moves by <see cref="WorkerTable"/> alone.</summary>
internal sealed class Worker(WorkerDescription description, WorkerClass? @class, long ordinal, DateTimeOffset now)
{
    private readonly HashSet<ExecutionId> _failedHere = [];
    private int _quarantines;

    public string Id => Description.Id;

    public WorkerDescription Description { get; set; } = description;

    /// <summary>Null for a worker that is known from the journal only: what it offers is unknown until it is back.</summary>
    public WorkerClass? Class { get; set; } = @class;

    public long Ordinal { get; } = ordinal;

    public WorkerState State { get; private set; } = WorkerState.Joining;

    /// <summary>Which connection speaks for this worker; reports from an older one are ignored. 0 while it has none.</summary>
    public long Session { get; set; }

    /// <summary>A <see cref="Due.WorkerSilent"/> is outstanding: one is enough, however often it rejoins.</summary>
    public bool IsListenedTo { get; set; }

    public DateTimeOffset JoinedAt { get; set; } = now;

    public DateTimeOffset LastHeardAt { get; set; } = now;

    public DateTimeOffset IdleSince { get; set; } = now;

    /// <summary>
    /// Attempts that occupy a slot, and since when heartbeats fail to name them. A cancelled attempt stays until
    /// the worker is done with it: its processes still run.
    /// </summary>
    public Dictionary<LeaseId, DateTimeOffset?> Held { get; } = [];

    public DateTimeOffset QuarantinedUntil { get; private set; }

    /// <summary>The quarantine is over as far as one lease: the probe.</summary>
    public bool IsProbing { get; set; }

    public bool HasRoom => Held.Count < State switch
    {
        WorkerState.Ready => Description.LeasesMax,
        WorkerState.Quarantined when IsProbing => 1,
        _ => 0,
    };

    public bool Can(WorkerEvent @event) => WorkerTable.Next(State, @event) is not null;

    public void Move(WorkerEvent @event) =>
        State = WorkerTable.Next(State, @event)
            ?? throw new UnreachableException($"{@event} cannot happen to a worker that is {State}");

    public void Succeeded()
    {
        _failedHere.Clear();
        if (State == WorkerState.Quarantined) _quarantines = 0;
        Move(WorkerEvent.Succeed);
    }

    /// <summary>
    /// True when this failure trips the breaker. Different executions are counted, not failures: one poisonous
    /// job must not take a healthy worker out of service.
    /// </summary>
    public bool FailedOn(ExecutionId execution, int quarantineAfter)
    {
        _failedHere.Add(execution);
        return (State == WorkerState.Quarantined || _failedHere.Count >= quarantineAfter) && Can(WorkerEvent.Trip);
    }

    public void Quarantine(SchedulerOptions options, DateTimeOffset now)
    {
        Move(WorkerEvent.Trip);
        IsProbing = false;
        // The shift is bounded: beyond it the maximum has long been reached.
        var duration = options.QuarantineFirst * (1 << Math.Min(_quarantines++, 16));
        QuarantinedUntil = now + (duration < options.QuarantineMax ? duration : options.QuarantineMax);
    }
}
