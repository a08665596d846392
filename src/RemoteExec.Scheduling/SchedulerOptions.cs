namespace RemoteExec.Scheduling;

/// <summary>Every number of the scheduler, with its reason.</summary>
public sealed record SchedulerOptions
{
    /// <summary>Lost workers and infrastructure failures that one execution survives; a job that kills its worker must stop (TRUST K17).</summary>
    public int AttemptsMax { get; init; } = 5;

    /// <summary>
    /// How long a lost attempt waits at most before the next, the first time; each time twice as long, up to <see cref="AttemptWaitMax"/>.
    /// A fault that passes within a second then costs two or three attempts of five, and a client waits half a second for a worker that died.
    /// </summary>
    public TimeSpan AttemptWaitFirst { get; init; } = TimeSpan.FromMilliseconds(500);

    public TimeSpan AttemptWaitMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// An execution that waits for inputs ends after so long, as what may be tried again. A last resort: whoever holds it releases it or
    /// refuses it, and what runs for it has limits of its own.
    /// </summary>
    public TimeSpan HoldMax { get; init; } = TimeSpan.FromHours(6);

    /// <summary>What workers are told.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(2);

    // Three missed heartbeats. A live-migrated machine loses one; three in a row means the worker is gone, and a
    // client is waiting for what it was running.
    public TimeSpan WorkerSilenceMax => HeartbeatInterval * 3;

    /// <summary>
    /// The longest wait of a worker between two attempts to connect. Workers are told, and <see cref="RejoinGrace"/> follows from it.
    /// A thousand workers spread over it are a few hundred connections a second.
    /// </summary>
    public TimeSpan ReconnectBackoffMax { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>
    /// After a restart or a cut, how long a lease waits for its worker to come back: a wait that had just begun, an attempt that
    /// takes as long, and a heartbeat for the hello. Clients spend about 3 s of retries on a restart (TRUST 1.2) but none on this:
    /// their stream is open again while the lease waits.
    /// </summary>
    public TimeSpan RejoinGrace => ReconnectBackoffMax * 2 + HeartbeatInterval;

    /// <summary>
    /// How long a worker may take to confirm that what it was told to stop is dead. Killing takes milliseconds; a worker that cannot
    /// do it gets no more work until it has.
    /// </summary>
    public TimeSpan KillConfirmMax { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// How long a worker may take to give back what it has not begun, or to say that it has. A round trip; meanwhile a slot is kept
    /// elsewhere. Who does not answer keeps it.
    /// </summary>
    public TimeSpan RecallAnswerMax { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>Workers that died with this process (in-process ones): their recovered leases are queued again at once.</summary>
    public IReadOnlySet<string> WorkersThatCannotReturn { get; init; } = new HashSet<string>();

    /// <summary>How long an operation whose client was lost stays alive; connections break and clients re-attach (REAPI E18). A cancelled one ends at once.</summary>
    public TimeSpan AbandonedGrace { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long properties that no worker offers may wait: for whatever makes workers, so where nothing does, hardly at all (REAPI E4).
    /// <see cref="OfferGrace"/> comes first.
    /// </summary>
    public TimeSpan UnsatisfiableMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long nothing is refused for want of a worker after a start, or after the loss of the last one that offered it: it may be about to
    /// come back, and a restart must not fail a build. A worker's restart, its wait before it connects included, takes a few seconds.
    /// </summary>
    public TimeSpan OfferGrace { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Executions waiting at most; beyond it clients get RESOURCE_EXHAUSTED. At some KiB each this is a few hundred MiB.</summary>
    public int QueuedMax { get; init; } = 100_000;

    /// <summary>How long a finished operation can be asked for (TRUST 1.2: at least an hour).</summary>
    public TimeSpan FinishedRetention { get; init; } = TimeSpan.FromHours(1);

    public int FinishedMax { get; init; } = 20_000;

    /// <summary>Response bytes kept for finished operations; the oldest leave first.</summary>
    public long FinishedBytesMax { get; init; } = 64 << 20;

    /// <summary>Different executions that must fail on a worker, none succeeding in between, before it is quarantined.</summary>
    public int QuarantineAfter { get; init; } = 3;

    /// <summary>The first quarantine; each one in a row lasts twice as long, up to <see cref="QuarantineMax"/>.</summary>
    public TimeSpan QuarantineFirst { get; init; } = TimeSpan.FromSeconds(30);

    public TimeSpan QuarantineMax { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Properties that say nothing about placement and are not matched: keys that only change the action's digest,
    /// execution-info tags that Bazel forwards, and requests for so much of a machine, whatever they are called (REAPI 1.12). Also
    /// whatever begins with <c>resources:</c>.
    /// </summary>
    public IReadOnlySet<string> IgnoredProperties { get; init; } = new HashSet<string>
    {
        "cache-silo-key",
        "bazel-differentiate-workspace-cache",
        "no-cache",
        "no-remote-cache",
        "local",
        "supports-path-mapping",
        "supports-workers",
        "supports-multiplex-workers",
        "requires-worker-protocol",
        "persistentWorkerKey",
        "persistentWorkerProtocol",
        "persistentWorkerMultiplex",
        "EstimatedCPU",
        "EstimatedMemory",
        "cpu_count",
        "memory_kb",
        "cores",
        "min-cores",
        "max-cores",
        "min-mem",
        "max-mem",
    };

    public ISchedulingObserver Observer { get; init => field = new GuardedSchedulingObserver(value); } = GuardedSchedulingObserver.Nobody;

    /// <summary>Told of workers, for the log. Called under the lock: be quick, never wait. What it throws changes nothing.</summary>
    public Action<WorkerMove>? WorkerMoved { get; init; }

    /// <summary>
    /// Told, likewise, of an operation whose last watcher was lost before its end: from now on <see cref="AbandonedGrace"/> runs. Not
    /// of one whose client cancelled it, and not when we are the ones who leave.
    /// </summary>
    public Action<OperationSnapshot>? ClientLost { get; init; }

    /// <summary>Finished operations in a <see cref="QueueSnapshot"/>.</summary>
    public int RecentlyFinishedMax { get; init; } = 100;
}
