using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>What tests ask of a Bazel command; a failure shows the command and the end of its output.</summary>
internal static class BazelResultAssertions
{
    public static BazelResult ShouldExitWith(this BazelResult result, int exitCode)
    {
        Assert.That(result.ExitCode, Is.EqualTo(exitCode), () => result.Explanation);
        return result;
    }

    public static BazelResult ShouldSay(this BazelResult result, string text)
    {
        // Not Does.Contain: on failure NUnit would print megabytes of output.
        Assert.That(result.Output.Contains(text, StringComparison.Ordinal),
            () => $"nothing says \"{text}\"\n{result.Explanation}");
        return result;
    }

    /// <summary>Every action ran at the server or came from its cache.</summary>
    public static BazelResult ShouldHaveRunRemotely(this BazelResult result)
    {
        Assert.That(result.Processes.NotRemote, Is.Empty, () => result.Explanation);
        return result;
    }
}
