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

        // "4.2.3", "4.2.3- (@non-git)", "release 4.2.3". A build of its own has none, such as Debian's 4.2.3; one of today's sources
        // is not taken for an old one by that, since it sends no output_directories.
        var version = tool.ToolVersion.AsSpan();
        int start = version.IndexOfAnyInRange('0', '9');
        if (start < 0) return true;
        version = version[start..];
        int end = version.IndexOfAnyExceptInRange('0', '9');
        return int.TryParse(end < 0 ? version : version[..end], NumberStyles.None, CultureInfo.InvariantCulture, out int major) && major < 6;
    }
}
