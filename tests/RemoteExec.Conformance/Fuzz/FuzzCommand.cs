namespace RemoteExec.Conformance;

/// <summary>rexec-conformance --fuzz.</summary>
internal static class FuzzCommand
{
    private const int CallsAtOnce = 8;
    private const int ShownMost = 50;

    public static async Task<int> RunAsync(Connection connection, Arguments asked, CancellationToken cancellationToken)
    {
        string[] families = [.. FuzzMethods.All.Select(method => method.Family).Distinct().Where(family => asked.Only.Count == 0 || asked.Only.Contains(family))];
        if (families.Length == 0)
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
            string answers = string.Join(", ", fuzzer.Answers.OrderByDescending(answer => answer.Value).Select(answer => $"{StatusNames.Of((int)answer.Key)} {answer.Value}"));
            await Console.Out.WriteLineAsync($"{family,-14} seed {asked.Seed}, {asked.FuzzMessages} messages, {found.Count} faults; {answers}");
            foreach (string fault in found.Take(ShownMost)) await Console.Out.WriteLineAsync($"  {fault}");
        }

        return faults == 0 ? 0 : 1;
    }
}
