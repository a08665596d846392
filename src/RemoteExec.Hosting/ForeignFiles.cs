namespace RemoteExec.Hosting;

/// <summary>Keeps a program from making itself at home among somebody else's files.</summary>
public static class ForeignFiles
{
    // What a file system brings along, what shells and service managers leave, and what an operator puts beside: a log, a configuration.
    private static bool IsNobodys(string name) =>
        name.StartsWith('.') || name == "lost+found" || Path.GetExtension(name) is ".log" or ".out" or ".err" or ".pid" or ".json";

    /// <summary>Refuses a directory that holds something and nothing of ours: more likely a slip of the pen than a wish.</summary>
    /// <param name="ours">Names of which at least one is there in a directory that was ours before.</param>
    /// <param name="refused">Makes the failure of a sentence.</param>
    public static void Refuse(string directory, IReadOnlyCollection<string> ours, Func<string, Exception> refused)
    {
        if (!Directory.Exists(directory)) return;

        string[] names = [.. Directory.EnumerateFileSystemEntries(directory).Select(path => Path.GetFileName(path)).Where(name => !IsNobodys(name))];
        if (names.Length > 0 && !names.Any(ours.Contains))
            throw refused($"the data directory {directory} holds files of somebody else ({names.Order(StringComparer.Ordinal).First()}); name an empty or absent one with --data-dir DIR");
    }
}
