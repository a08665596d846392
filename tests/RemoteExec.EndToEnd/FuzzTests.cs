using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Two thousand mutants of valid requests, the same ones in every run: no answer tells of a fault of the server's, nothing but what clients do
/// is in its log, and it serves. <c>eng/fuzz</c> sends many more, of other seeds.
/// </summary>
public sealed class FuzzTests
{
    private const int CallsAtOnce = 4;

    // Of these levels an honest day has none.
    private static readonly string[] Faults = ["\"level\":\"error\"", "\"level\":\"critical\"", "Unhandled exception"];

    [Test]
    public void The_kept_corpus_has_two_thousand_mutants_and_some_of_each_method()
    {
        var kept = KeptCorpus.Read();

        Assert.That(kept, Has.Count.AtLeast(2000));
        Assert.That(FuzzMethods.All.Select(method => method.Name).Except(kept.Select(each => each.Method.Name)), Is.Empty);
        Assert.That(kept.Select(KeptCorpus.Format).Select(KeptCorpus.Parse).Zip(kept, (one, other) => one.Body.AsSpan().SequenceEqual(other.Body)), Is.All.True);
    }

    [Test]
    public async Task Two_thousand_mutants_find_no_fault_of_the_server()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        using var connection = new Connection(new Uri($"grpc://{server.GrpcAddress}"), "", []);
        var fuzzer = new Fuzzer(connection, CallsAtOnce);

        var faults = await fuzzer.RunAsync(KeptCorpus.Read(), CancellationToken.None);

        await TestContext.Out.WriteLineAsync(
            $"made of seed {KeptCorpus.Seed}: {string.Join(", ", fuzzer.Answers.OrderByDescending(answer => answer.Value).Select(answer => $"{answer.Key} {answer.Value}"))}");
        Assert.That(faults, Is.Empty);
        await server.StopAsync();
        Assert.That(server.Log.Count(line => Faults.Any(fault => line.Contains(fault, StringComparison.Ordinal))), Is.Zero, () => server.Log.Tail(200));
    }
}
