namespace RemoteExec.Conformance;

/// <summary>rexec-conformance --fuzz.</summary>
internal static class FuzzCommand
{
    private const int CallsAtOnce = 8;
    private const int ShownMost = 50;

    public static async Task<int> RunAsync(Connection connection, Arguments asked, CancellationToken cancellationToken)
    {
        string[] families = Asked(FuzzMethods.All.Select(method => method.Family));
        string[] overHttp = asked.Http is null ? [] : Asked(HttpRoutes.All.Select(route => route.Family));
        if (families.Length + overHttp.Length == 0)
        {
            await Console.Error.WriteLineAsync($"no family of methods is called {string.Join(", ", asked.Only)}\n{Arguments.Usage}");
            return 2;
        }

        int faults = 0;
        foreach (string family in families)
        {
            var fuzzer = new Fuzzer(connection, CallsAtOnce);
            var found = await fuzzer.RunAsync([.. FuzzMethods.All.Where(method => method.Family == family)], asked.Seed, asked.FuzzMessages, cancellationToken);
            faults += found.Count;
            await TellAsync(family, fuzzer.Answers.Select(answer => (StatusNames.Of((int)answer.Key), answer.Value)), found);
        }

        foreach (string family in overHttp)
        {
            var fuzzer = new HttpFuzzer(asked.Http!, CallsAtOnce); // there are none without it
            await new Peer(connection, cancellationToken).StoreAsync(FuzzMethods.Stored);
            var found = await fuzzer.RunAsync([.. HttpRoutes.All.Where(route => route.Family == family)], asked.Seed, asked.FuzzMessages, cancellationToken);
            faults += found.Count;
            await TellAsync(family, fuzzer.Answers.Select(answer => ($"{answer.Key}", answer.Value)), found);
        }

        return faults == 0 ? 0 : 1;

        string[] Asked(IEnumerable<string> all) => [.. all.Distinct().Where(family => asked.Only.Count == 0 || asked.Only.Contains(family))];

        async Task TellAsync(string family, IEnumerable<(string Name, int Count)> answers, IReadOnlyList<string> found)
        {
            string counts = string.Join(", ", answers.OrderByDescending(answer => answer.Count).Select(answer => $"{answer.Name} {answer.Count}"));
            await Console.Out.WriteLineAsync($"{family,-14} seed {asked.Seed}, {asked.FuzzMessages} messages, {found.Count} faults; {counts}");
            foreach (string fault in found.Take(ShownMost)) await Console.Out.WriteLineAsync($"  {fault}");
        }
    }
}
