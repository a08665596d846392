using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The table of blame, written out once more and made to happen cell by cell.</summary>
[TestFixture]
internal sealed class BlameRulesTests : QueueFixture
{
    // attempt: it costs one. marked, cleared: what it does to the worker's record. Then who tries again, and whether that waits.
    private const string Table = """
                      Reported                          ReportedLeaving                   Lost                         HandedBack        HandedBackLeaving
        None          cleared,nobody                    cleared,nobody                    -                            scheduler,waits   scheduler
        Client        client                            client                            -                            -                 -
        Action        cleared,nobody                    cleared,nobody                    -                            -                 -
        Worker        attempt,marked,scheduler,waits    attempt,scheduler,waits           attempt,scheduler,waits      -                 -
        Coordinator   attempt,scheduler,waits           attempt,scheduler,waits           attempt,scheduler            -                 -
        Store         attempt,scheduler,waits           attempt,scheduler,waits           -                            -                 -
        """;

    [TestCaseSource(nameof(Cells))]
    public void The_table_is_the_documented_one(string blame, string end, string expected) =>
        Assert.That(Describe(BlameRules.Find(Enum.Parse<Blame>(blame), Enum.Parse<AttemptEnd>(end))), Is.EqualTo(expected));

    [Test]
    public void Every_blame_and_situation_has_its_cell() =>
        Assert.That(Cells().Count(), Is.EqualTo(Enum.GetValues<Blame>().Length * Enum.GetValues<AttemptEnd>().Length));

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
