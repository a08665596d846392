using System.Globalization;

namespace RemoteExec.Testing;

/// <summary>
/// Programs that tests start are sent SIGINT, as by Ctrl-C. A shell without job control starts its background jobs with that signal ignored, and whatever a job starts
/// inherits it; programs leave it so (<c>nohup</c> and the like count on it). So a suite that runs in the background lets its programs begin with the default.
/// </summary>
internal static class DefaultSignals
{
    private const int SIGINT = 2;

    private static readonly bool IsInterruptIgnored = IsIgnored(SIGINT);

    /// <summary>What to start in place of the command: it becomes the command, under the same number.</summary>
    public static string[] For(params string[] command) => IsInterruptIgnored ? ["env", "--default-signal=INT", .. command] : command;

    // proc(5): SigIgn is a mask in hex, the lowest bit is signal 1.
    private static bool IsIgnored(int signal)
    {
        const string name = "SigIgn:";
        string mask = File.ReadLines("/proc/self/status").Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..];
        return (ulong.Parse(mask.AsSpan().Trim(), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture) & (1UL << (signal - 1))) != 0;
    }
}
