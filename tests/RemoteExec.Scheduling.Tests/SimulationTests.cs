using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>
/// Random lives of a queue, with workers, clients, a journal and crashes, from a seed. A failure prints its seed:
/// <c>new Simulation(seed).Run()</c> repeats it step by step.
/// </summary>
[TestFixture]
internal sealed class SimulationTests
{
    private const int Seeds = 1000;
    private const int Steps = 250;

    [Test]
    public void Nothing_is_lost_doubled_or_resurrected_in_any_random_life()
    {
        int first = Environment.TickCount & 0xffffff;
        long ended = 0, crashes = 0, retries = 0, compactions = 0;
        Parallel.For(first, first + Seeds, new ParallelOptions { MaxDegreeOfParallelism = 2 }, seed =>
        {
            var simulation = new Simulation(seed);
            try
            {
                simulation.Run(Steps);
            }
            catch (Exception exception)
            {
                throw new InvalidOperationException($"seed {seed}, step {simulation.Step}: {exception.Message}", exception);
            }

            Interlocked.Add(ref ended, simulation.Ended);
            Interlocked.Add(ref crashes, simulation.Crashes);
            Interlocked.Add(ref retries, simulation.Retries);
            Interlocked.Add(ref compactions, simulation.Compactions);
        });

        TestContext.Out.WriteLine($"seeds {first}..{first + Seeds - 1}: {ended} operations ended, {crashes} crashes, {retries} retries, {compactions} compactions");
        Assert.That(ended, Is.GreaterThan(Seeds * 20L), "the simulation must not be idle");
        Assert.That(new[] { crashes, retries, compactions * 10 }, Is.All.GreaterThan(Seeds), "the simulation must not be idle");
    }

    [Test]
    public void The_same_seed_is_the_same_life()
    {
        for (int seed = 1; seed <= 50; seed++)
        {
            var (one, two) = (new Simulation(seed), new Simulation(seed));
            one.Run(Steps);
            two.Run(Steps);
            Assert.That(one.Trace, Is.EqualTo(two.Trace), $"seed {seed}");
        }
    }
}
