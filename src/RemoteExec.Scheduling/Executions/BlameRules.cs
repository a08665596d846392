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

    private static readonly BlameRule?[,] Cells =
    {
        //                  Reported         ReportedLeaving  Lost        HandedBack  HandedBackLeaving
        /* None        */ { Ran,             Ran,             null,       GivenBack,  GivenBackLeaving },
        /* Client      */ { Refused,         Refused,         null,       null,       null },
        /* Action      */ { Ran,             Ran,             null,       null,       null },
        /* Worker      */ { Failed,          FailedElsewhere, FailedElsewhere, null,  null },
        /* Coordinator */ { FailedElsewhere, FailedElsewhere, TakenAlong, null,       null },
        /* Store       */ { FailedElsewhere, FailedElsewhere, null,       null,       null },
    };

    public static BlameRule? Find(Blame blame, AttemptEnd end) => Cells[(int)blame, (int)end];

    public static BlameRule Of(Blame blame, AttemptEnd end) =>
        Find(blame, end) ?? throw new UnreachableException($"an attempt that was {end} is never the fault of {blame}");
}
