using System.Globalization;
using System.Text.RegularExpressions;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Where the actions of a build ran, in Bazel's own words: the last line of the form
/// <c>INFO: 324 processes: 4 remote cache hit, 75 internal, 245 remote.</c>
/// </summary>
internal sealed partial record ProcessSummary(IReadOnlyDictionary<string, int> ByRunner)
{
    public int Remote => ByRunner.GetValueOrDefault("remote");

    public int RemoteCacheHits => ByRunner.GetValueOrDefault("remote cache hit");

    /// <summary>Everything but the bookkeeping that Bazel does in its own process.</summary>
    public int Actions => ByRunner.Where(pair => pair.Key != "internal").Sum(pair => pair.Value);

    /// <summary>Runners other than the server: "local", "linux-sandbox", "worker", "processwrapper-sandbox".</summary>
    public IEnumerable<string> NotRemote =>
        ByRunner.Keys.Where(runner => runner is not ("remote" or "remote cache hit" or "internal"));

    public static ProcessSummary? Find(string output)
    {
        var match = SummaryLine().Matches(output).LastOrDefault();
        if (match is null) return null;

        // "0 processes." has no parts.
        var parts = match.Groups["part"].Captures.Select(part => part.Value.Split(' ', 2));
        return new ProcessSummary(parts.ToDictionary(
            part => part[1], part => int.Parse(part[0], CultureInfo.InvariantCulture)));
    }

    public override string ToString() => string.Join(", ", ByRunner.Select(pair => $"{pair.Value} {pair.Key}"));

    [GeneratedRegex(@"^INFO: \d+ process(es)?(:( (?<part>\d+ [^,.]+),?)+)?\.$", RegexOptions.Multiline)]
    private static partial Regex SummaryLine();
}
