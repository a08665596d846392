using System.Text;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What runs on this machine, from proc(5). A pid namespace hides the host from an action, not the
/// action from the host: a process that was left behind is seen here, whatever namespace it sits in.
/// </summary>
internal static class ProcessTable
{
    public static bool IsRunning(int process) => Directory.Exists($"/proc/{process}") && !IsZombie(process);

    /// <summary>Processes with this word among their arguments; a shell that has it inside a script does not count.</summary>
    public static IReadOnlyList<string> WithArgument(string argument) =>
        Find("cmdline", text => text.Split('\0').Contains(argument));

    /// <summary>Processes that were started with this variable, and everything that inherited it.</summary>
    public static IReadOnlyList<string> WithEnvironment(string name, string value) =>
        Find("environ", text => text.Split('\0').Contains($"{name}={value}"));

    private static List<string> Find(string file, Func<string, bool> matches)
    {
        var found = new List<string>();
        foreach (string folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), out int process)) continue;
            if (!TryRead(Path.Combine(folder, file), out string text) || !matches(text)) continue;
            if (IsZombie(process) || !TryRead(Path.Combine(folder, "cmdline"), out string command)) continue;
            found.Add($"{process}: {command.Replace('\0', ' ').Trim()}");
        }

        return found;
    }

    // A zombie is a dead process that nobody has asked about yet; in a container without an init, orphans
    // of anyone stay such for ever. The state is the word behind the name, which may itself hold ") ".
    private static bool IsZombie(int process) =>
        !TryRead($"/proc/{process}/stat", out string stat) || stat.AsSpan(stat.LastIndexOf(')') + 2).StartsWith("Z");

    // It may end between the listing and the reading, and those of other users do not let us look.
    private static bool TryRead(string path, out string text)
    {
        try
        {
            text = File.ReadAllText(path, Encoding.UTF8);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            text = "";
            return false;
        }
    }
}
