using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>How a Bazel command ended.</summary>
internal sealed record BazelResult(string CommandLine, int ExitCode, string Output, string StandardOutput)
{
    /// <summary>Bazel's exit codes, as its documentation lists them.</summary>
    public const int Success = 0, BuildFailed = 1, TestsFailed = 3, Interrupted = 8;

    public ProcessSummary Processes => ProcessSummary.Find(Output) ?? throw new AssertionException(
        $"no line told where the actions ran\n{Explanation}");

    public string Explanation => $"{CommandLine}\nexit code {ExitCode}, output:\n{Tail(Output, 12_000)}";

    public BazelResult ShouldExitWith(int exitCode)
    {
        Assert.That(ExitCode, Is.EqualTo(exitCode), () => Explanation);
        return this;
    }

    public BazelResult ShouldSay(string text)
    {
        // Not Does.Contain: on failure NUnit would print megabytes of output.
        Assert.That(Output.Contains(text, StringComparison.Ordinal), () => $"nothing says \"{text}\"\n{Explanation}");
        return this;
    }

    /// <summary>Every action ran at the server or came from its cache.</summary>
    public BazelResult ShouldHaveRunRemotely()
    {
        Assert.That(Processes.NotRemote, Is.Empty, () => Explanation);
        return this;
    }

    private static string Tail(string text, int characters) =>
        text.Length <= characters ? text : "…" + text[^characters..];
}
