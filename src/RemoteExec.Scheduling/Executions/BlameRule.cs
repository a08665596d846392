namespace RemoteExec.Scheduling;

/// <summary>What an end of an attempt costs, and who tries again.</summary>
/// <param name="CostsAttempt">It is one of the <see cref="SchedulerOptions.AttemptsMax"/>.</param>
/// <param name="Record">What it does to the worker's record.</param>
/// <param name="Retrier">Who tries again.</param>
/// <param name="Waits">The next attempt waits, longer each time.</param>
internal readonly record struct BlameRule(bool CostsAttempt, WorkerRecord Record, Retrier Retrier, bool Waits);

internal enum Retrier
{
    /// <summary>The same again would come to the same.</summary>
    Nobody,

    /// <summary>Us: the execution is queued again.</summary>
    Scheduler,

    /// <summary>The client, once it has done something about it: uploaded, waited, started a worker.</summary>
    Client,
}

/// <summary>What an end does to the record by which a worker is quarantined.</summary>
internal enum WorkerRecord
{
    /// <summary>It says nothing about the worker.</summary>
    Untouched,

    /// <summary>A command ran here: what failed before is forgotten.</summary>
    Cleared,

    /// <summary>One more execution that failed here.</summary>
    Marked,
}
