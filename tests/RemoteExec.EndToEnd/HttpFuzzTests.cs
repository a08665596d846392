using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Two thousand mutants of requests over HTTP, of JSON (<c>/v2/</c>, <c>/v1/</c>) and of the cache (<c>/cas/</c>, <c>/ac/</c>), the same ones in every run: no fault of the server's, each
/// connection has its end, what was refused is stored nowhere, and it serves. <c>eng/fuzz</c> sends many more, of other seeds.
/// </summary>
public sealed class HttpFuzzTests
{
    private const int Seed = 2026;
    private const int MutantsOfAFamily = 1000;
    private const int CallsAtOnce = 4;
    private const int RoundsMax = 4;

    // Of these levels an honest day has none.
    private static readonly string[] Faults = ["\"level\":\"error\"", "\"level\":\"critical\"", "Unhandled exception"];

    [Test]
    public async Task Two_thousand_mutants_over_HTTP_find_no_fault_and_what_is_refused_is_stored_nowhere()
    {
        List<HttpMutant> refused = [];
        await using (var server = await StartAsync())
        {
            foreach (string family in HttpRoutes.All.Select(route => route.Family).Distinct())
            {
                var fuzzer = new HttpFuzzer(server.HttpAddress, CallsAtOnce);
                var faults = await fuzzer.RunAsync([.. HttpRoutes.All.Where(route => route.Family == family)], Seed, MutantsOfAFamily, CancellationToken.None);
                await TestContext.Out.WriteLineAsync(
                    $"{family} of seed {Seed}: {string.Join(", ", fuzzer.Answers.OrderByDescending(answer => answer.Value).Select(answer => $"{answer.Key} {answer.Value}"))}");
                Assert.That(faults, Is.Empty);
                refused.AddRange(fuzzer.Refused);
            }

            await AssertNoFaultAsync(server);
        }

        Assert.That(refused, Has.Count.GreaterThan(MutantsOfAFamily / 2), "most of them are wrong");
        await AssertNothingStoredAsync(refused);
    }

    [Test]
    public void The_mutants_of_a_seed_are_the_same_bytes_each_time()
    {
        HttpMutant[] first = [.. Mutants()], again = [.. Mutants()];

        Assert.That(first.Zip(again, (one, other) => one.Bytes.AsSpan().SequenceEqual(other.Bytes)), Is.All.True);
        Assert.That(first.Count(mutant => mutant.Wholeness == HttpWholeness.Whole), Is.GreaterThan(first.Length / 2));

        static IEnumerable<HttpMutant> Mutants() => Enumerable.Range(0, 500).Select(number => HttpCorpus.Make(HttpRoutes.All, "127.0.0.1:1", Seed, number));
    }

    /// <summary>
    /// On a server that gets nothing else, so that whatever is there afterwards came of them. One that is taken here, because another had been before it there, says
    /// nothing; the others are then asked again of the next.
    /// </summary>
    private static async Task AssertNothingStoredAsync(IReadOnlyList<HttpMutant> refused)
    {
        for (int round = 1; ; round++)
        {
            string data = Lab.NewFolder("server");
            await using var server = await StartAsync(data);
            HttpMutant[] aimed = [.. refused.Select(mutant => mutant.For(server.HttpAddress))];
            var before = await StoredAsync(server, data);
            var fuzzer = new HttpFuzzer(server.HttpAddress, CallsAtOnce);

            Assert.That(await fuzzer.RunAsync(aimed, CancellationToken.None), Is.Empty);

            var again = fuzzer.Refused.ToHashSet();
            HttpMutant[] taken = [.. aimed.Where(mutant => !again.Contains(mutant))];
            if (taken.Length > 0 && round < RoundsMax)
            {
                refused = [.. aimed.Where(again.Contains)];
                await server.StopAsync();
                continue;
            }

            // The honest request behind them has stored one of a thousand bytes.
            Assert.That(taken, Is.Empty);
            var expected = (before.Blobs + 1, before.Bytes + 1000, before.Temporaries);
            // An upload that was cut short takes its temporary file along a moment later.
            await Eventually.TrueAsync(
                () => $"blobs, their bytes and temporary files are {expected}", TimeSpan.FromMinutes(1), async () => await StoredAsync(server, data) == expected);
            Assert.That(await ResultsAsync(server), Is.Empty, "results");
            await AssertNoFaultAsync(server);
            return;
        }
    }

    private static Task<ServerProcess> StartAsync() => StartAsync(Lab.NewFolder("server"));

    private static async Task<ServerProcess> StartAsync(string data)
    {
        var server = await ServerProcess.StartAsync(data, "--slots", "1");
        using var connection = new Connection(new Uri($"grpc://{server.GrpcAddress}"), "", []);
        await new Peer(connection, CancellationToken.None).StoreAsync(FuzzMethods.Stored);
        return server;
    }

    private static async Task AssertNoFaultAsync(ServerProcess server)
    {
        await server.StopAsync();
        Assert.That(server.Log.Count(line => Faults.Any(fault => line.Contains(fault, StringComparison.Ordinal))), Is.Zero, () => server.Log.Tail(200));
    }

    /// <summary>Of the action that the mutants write results of, over HTTP and by JSON.</summary>
    private static async Task<IReadOnlyList<string>> ResultsAsync(ServerProcess server)
    {
        using var http = new HttpClient { BaseAddress = new Uri($"http://{server.HttpAddress}"), Timeout = TimeSpan.FromMinutes(2) };
        var action = Blob.Of(FuzzMethods.Action).Digest;
        var found = new List<string>();
        foreach (string path in new[] { $"/ac/{action.Hash}", $"/some/instance/ac/{action.Hash}", $"/v2/actionResults/{Peer.Path(action)}", $"/v2/some/instance/actionResults/{Peer.Path(action)}" })
        {
            using var answer = await http.GetAsync(new Uri(path, UriKind.Relative));
            if (answer.StatusCode != System.Net.HttpStatusCode.NotFound) found.Add($"{path}: {answer.StatusCode}");
        }

        return found;
    }

    private static async Task<(double Blobs, double Bytes, int Temporaries)> StoredAsync(ServerProcess server, string data) => (
        await server.MetricAsync("remoteexec_cas_blobs"),
        await server.MetricAsync("remoteexec_cas_size_bytes"),
        Directory.EnumerateFiles(Path.Combine(data, "cas"), "*", SearchOption.AllDirectories).Count(path => !path.Contains("/cas/blobs/", StringComparison.Ordinal)));
}
