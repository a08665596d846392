using System.Globalization;
using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Protocol;

/// <summary>What some clients' rules expect of a server beyond the protocol, known by the name that they send.</summary>
public static class OutputHabits
{
    /// <summary>
    /// Bazel before 6 makes the directories that a rule declares where it runs a command itself, so its rules write into them without
    /// making them. For everybody else a directory that exists is in the way: <c>mkdir</c> and <c>ln -s</c> fail (REAPI X5).
    /// </summary>
    public static bool ExpectsOutputDirectories(RequestMetadata? metadata)
    {
        if (metadata?.ToolDetails is not { } tool || !tool.ToolName.Equals("bazel", StringComparison.OrdinalIgnoreCase)) return false;

        // "4.2.3", "4.2.3- (@non-git)", "release 4.2.3"; a build of its own has none, and such are made of today's sources.
        var version = tool.ToolVersion.AsSpan();
        int start = version.IndexOfAnyInRange('0', '9');
        if (start < 0) return false;
        version = version[start..];
        int end = version.IndexOfAnyExceptInRange('0', '9');
        return int.TryParse(end < 0 ? version : version[..end], NumberStyles.None, CultureInfo.InvariantCulture, out int major) && major < 6;
    }
}
