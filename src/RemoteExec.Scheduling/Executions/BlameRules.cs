using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <summary>
/// Blame x situation: what it costs and who tries again, in one table that a test executes cell by cell. An empty cell cannot
/// happen: who loses or hands back a lease has no outcome that could blame the client or the action.
/// </summary>
internal static class BlameRules
{
    // A command ran, whatever came of it.
    private static readonly BlameRule Ran = new(CostsAttempt: false, WorkerRecord.Cleared, Retrier.Nobody, Waits: false);

    // Refused before anything ran: no evidence about the worker either way. The client may mend it (upload, correct) and ask again.
    private static readonly BlameRule Refused = new(CostsAttempt: false, WorkerRecord.Untouched, Retrier.Client, Waits: false);

    // A fault of a second must not use up all attempts, so each waits longer than the one before.
    private static readonly BlameRule Failed = new(CostsAttempt: true, WorkerRecord.Marked, Retrier.Scheduler, Waits: true);

    // The same where the record of the worker cannot be held against it, or does not matter any more.
    private static readonly BlameRule FailedElsewhere = Failed with { Record = WorkerRecord.Untouched };

    // Our restart was wait enough. It counts all the same: an action that takes the whole machine down must stop.
    private static readonly BlameRule TakenAlong = FailedElsewhere with { Waits = false };

    // Without the wait a worker that does not want it would be given it again at once, for ever.
    private static readonly BlameRule GivenBack = new(CostsAttempt: false, WorkerRecord.Untouched, Retrier.Scheduler, Waits: true);

    private static readonly BlameRule GivenBackLeaving = GivenBack with { Waits = false };

    // What it lacks is made first; it waits for that, and not for a time.
    private static readonly BlameRule Held = GivenBackLeaving;

    private static readonly BlameRule?[,] Cells =
    {
        //                  Reported         ReportedLeaving  Lost        HandedBack  HandedBackLeaving  ReportedToHold
        /* None        */ { Ran,             Ran,             null,       GivenBack,  GivenBackLeaving,  null },
        /* Client      */ { Refused,         Refused,         null,       null,       null,              Held },
        /* Action      */ { Ran,             Ran,             null,       null,       null,              null },
        /* Worker      */ { Failed,          FailedElsewhere, FailedElsewhere, null,  null,              null },
        /* Coordinator */ { FailedElsewhere, FailedElsewhere, TakenAlong, null,       null,              null },
        /* Store       */ { FailedElsewhere, FailedElsewhere, null,       null,       null,              null },
    };

    public static BlameRule? Find(Blame blame, AttemptEnd end) => Cells[(int)blame, (int)end];

    public static BlameRule Of(Blame blame, AttemptEnd end) =>
        Find(blame, end) ?? throw new UnreachableException($"an attempt that was {end} is never the fault of {blame}");
}

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

/// <summary>In which situation an attempt ended; the columns of <see cref="BlameRules"/>.</summary>
internal enum AttemptEnd
{
    /// <summary>Its worker reported.</summary>
    Reported,

    /// <summary>Its worker reported, on the way out.</summary>
    ReportedLeaving,

    /// <summary>Nobody will report any more: the worker is silent, gone, or back without it.</summary>
    Lost,

    /// <summary>Given back unfinished, in good order.</summary>
    HandedBack,

    /// <summary>Given back unfinished by a worker that leaves, or because it was called back.</summary>
    HandedBackLeaving,

    /// <summary>Its worker reported that inputs are gone, and somebody makes them again.</summary>
    ReportedToHold,
}
