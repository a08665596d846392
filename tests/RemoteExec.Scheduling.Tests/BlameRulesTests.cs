using System.Diagnostics;
using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The table of blame, written out once more and made to happen cell by cell.</summary>
[TestFixture]
internal sealed class BlameRulesTests : QueueFixture
{
    // attempt: it costs one. marked, cleared: what it does to the worker's record. Then who tries again, and whether that waits.
    private const string Table = """
                      Reported                          ReportedLeaving                   Lost                         HandedBack        HandedBackLeaving   ReportedToHold
        None          cleared,nobody                    cleared,nobody                    -                            scheduler,waits   scheduler           -
        Client        client                            client                            -                            -                 -                   scheduler
        Action        cleared,nobody                    cleared,nobody                    -                            -                 -                   -
        Worker        attempt,marked,scheduler,waits    attempt,scheduler,waits           attempt,scheduler,waits      -                 -                   -
        Coordinator   attempt,scheduler,waits           attempt,scheduler,waits           attempt,scheduler            -                 -                   -
        Store         attempt,scheduler,waits           attempt,scheduler,waits           -                            -                 -                   -
        """;

    [TestCaseSource(nameof(Cells))]
    public void The_table_is_the_documented_one(string blame, string end, string expected) =>
        Assert.That(Describe(BlameRules.Find(Enum.Parse<Blame>(blame), Enum.Parse<AttemptEnd>(end))), Is.EqualTo(expected));

    [Test]
    public void Every_blame_and_situation_has_its_cell() =>
        Assert.That(Cells().Count(), Is.EqualTo(Enum.GetValues<Blame>().Length * Enum.GetValues<AttemptEnd>().Length));

    [TestCaseSource(nameof(Cells))]
    public void What_the_table_says_is_what_happens(string blame, string end, string expected)
    {
        var words = expected.Split(',');
        var (fault, situation) = (Enum.Parse<Blame>(blame), Enum.Parse<AttemptEnd>(end));
        if (expected == "-")
        {
            Assert.Throws<UnreachableException>(() => BlameRules.Of(fault, situation));
            return;
        }

        Options = Options with { QuarantineAfter = 2, WorkersThatCannotReturn = new HashSet<string> { "dies with us" } };
        NewQueue();
        string worker = fault == Blame.Coordinator && situation == AttemptEnd.Lost ? "dies with us" : "w1";
        long session = Join(Build.Worker(worker, slots: 3));
        FailOn(worker, Submit(Build.Request(1)));
        var operation = Submit(Build.Request(2));
        Happen(operation, worker, session, fault, situation);

        var execution = Queue.Find(operation.Name)!.Execution;
        bool isTriedAgain = words.Contains("scheduler");
        Assert.That(execution.Losses, Is.EqualTo(words.Contains("attempt") ? 1 : 0));
        Assert.That(execution.State, Is.EqualTo(isTriedAgain ? ExecutionState.Queued : ExecutionState.Completed));
        Assert.That(execution.NotBefore is not null && !execution.IsHeld, Is.EqualTo(words.Contains("waits")));
        Assert.That(execution.IsHeld, Is.EqualTo(situation == AttemptEnd.ReportedToHold));
        if (situation != AttemptEnd.Reported) return;

        bool isMarked = words.Contains("marked");
        Assert.That(StateOf(worker), Is.EqualTo(isMarked ? WorkerState.Quarantined : WorkerState.Ready));
        if (isMarked) return;
        // The second failure in a row trips it, unless the first was forgiven.
        FailOn(worker, Submit(Build.Request(3)));
        Assert.That(StateOf(worker), Is.EqualTo(words.Contains("cleared") ? WorkerState.Ready : WorkerState.Quarantined));
    }

    private void FailOn(string worker, Operation operation) =>
        Queue.Report(worker, operation.Execution.LeaseId, Build.Broken(), Now);

    private void Happen(Operation operation, string worker, long session, Blame blame, AttemptEnd end)
    {
        var lease = operation.Execution.LeaseId;
        if (end is AttemptEnd.ReportedLeaving or AttemptEnd.HandedBackLeaving) Queue.Drain(worker, session, Now);
        switch (end)
        {
            case AttemptEnd.Reported or AttemptEnd.ReportedLeaving:
                Queue.Report(worker, lease, Build.Of(blame), Now);
                break;
            case AttemptEnd.ReportedToHold:
                Queue.Report(worker, lease, Build.Of(blame) with { Hold = new InputHold(_ => { }) }, Now);
                break;
            case AttemptEnd.HandedBack or AttemptEnd.HandedBackLeaving:
                // Nobody else is there, so that it stays where it is put.
                if (end == AttemptEnd.HandedBack) Queue.StopLeasing();
                Queue.HandBack(worker, session, lease, Now);
                break;
            case AttemptEnd.Lost when blame == Blame.Coordinator:
                var records = Queue.TakeTransitions().Records;
                NewQueue();
                Queue.Recover(records, Now);
                break;
            case AttemptEnd.Lost:
                Queue.Disconnected(worker, session, Now);
                Advance(Options.RejoinGrace);
                break;
        }
    }

    private static string Describe(BlameRule? rule) => rule is not { } found ? "-" : string.Join(',', new[]
    {
        found.CostsAttempt ? "attempt" : "",
        found.Record switch { WorkerRecord.Marked => "marked", WorkerRecord.Cleared => "cleared", _ => "" },
        found.Retrier.ToString().ToLowerInvariant(),
        found.Waits ? "waits" : "",
    }.Where(word => word.Length > 0));

    private static IEnumerable<string[]> Cells()
    {
        var lines = Table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        foreach (var line in lines.Skip(1))
        {
            for (int column = 0; column < lines[0].Length; column++) yield return [line[0], lines[0][column], line[column + 1]];
        }
    }
}
