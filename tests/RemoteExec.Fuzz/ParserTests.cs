using NUnit.Framework;

namespace RemoteExec.Fuzz;

/// <summary>Every parser under what was kept for it, and some mutants more. `eng/fuzz --parsers` goes on from there.</summary>
[Parallelizable(ParallelScope.All)]
public sealed class ParserTests
{
    private const int Seed = 20261130;
    private const int Mutants = 500;

    private static IEnumerable<string> Names => FuzzTargets.All.Select(target => target.Name);

    [TestCaseSource(nameof(Names))]
    public async Task What_was_kept_and_mutants_of_it_are_read_or_refused(string name)
    {
        var run = new FuzzRun(FuzzTargets.All.Single(target => target.Name == name), Seed);

        Assert.That(await run.BeginAsync(), Is.Null);
        for (int i = 0; i < Mutants; i++)
        {
            if (await run.StepAsync() is { } fault) Assert.Fail(fault);
        }

        Assert.That(run.Outcomes, Has.Some.StartsWith(FuzzTarget.Taken), $"seed {Seed}");
        Assert.That(run.Outcomes, Has.Some.Not.StartsWith(FuzzTarget.Taken), $"seed {Seed}: nothing was refused");
    }

    [TestCaseSource(nameof(Names))]
    public async Task Its_seeds_are_right(string name)
    {
        var target = FuzzTargets.All.Single(each => each.Name == name);

        foreach (byte[] right in target.Seeds) Assert.That(await target.RunAsync(right), Does.StartWith(FuzzTarget.Taken));
    }

    [Test]
    public void Every_target_has_a_name_and_a_corpus_of_its_own() => Assert.Multiple(() =>
    {
        Assert.That(Names, Is.Unique);
        Assert.That(Names.Where(name => Corpus.Of(name).Count == 0), Is.Empty);
    });
}
