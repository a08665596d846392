namespace RemoteExec.EndToEnd;

/// <summary>How a Bazel command ended.</summary>
internal sealed record BazelResult(string CommandLine, int ExitCode, string Output, string StandardOutput)
{
    /// <summary>Bazel's exit codes, as its documentation lists them.</summary>
    public const int Success = 0, BuildFailed = 1, TestsFailed = 3, Interrupted = 8, RemoteError = 34;

    public ProcessSummary Processes => ProcessSummary.Find(Output)
        ?? throw new InvalidOperationException($"no line told where the actions ran\n{Explanation}");

    public string Explanation => $"{CommandLine}\nexit code {ExitCode}, output:\n{Tail(Output, 12_000)}";

    /// <summary>For commands that are means and not ends: what could not be done stops everything.</summary>
    public BazelResult OrThrow() => ExitCode == Success ? this : throw new InvalidOperationException(Explanation);

    private static string Tail(string text, int characters) =>
        text.Length <= characters ? text : "…" + text[^characters..];
}
