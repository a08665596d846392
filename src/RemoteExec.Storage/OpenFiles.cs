using System.Globalization;

namespace RemoteExec.Storage;

/// <summary>The descriptors of this process: every blob that is read or written takes one, and so does every connection.</summary>
public static class OpenFiles
{
    private const string Limits = "/proc/self/limits";

    /// <summary>How many may be open at once; null where nothing bounds them, or nothing that we can read.</summary>
    public static long? Max() => File.Exists(Limits) ? ParseMax(File.ReadLines(Limits)) : null;

    // proc(5): "Max open files   1024   524288   files"; the first number is what counts.
    internal static long? ParseMax(IEnumerable<string> limits)
    {
        string soft = limits
            .First(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[3];
        return soft == "unlimited" ? null : long.Parse(soft, CultureInfo.InvariantCulture);
    }
}
