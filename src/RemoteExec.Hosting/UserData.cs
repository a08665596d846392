namespace RemoteExec.Core;

/// <summary>Where a program keeps its data when nobody says: the XDG base directories, else the system's place.</summary>
public static class UserData
{
    public static string DirectoryOf(string program) =>
        Environment.GetEnvironmentVariable("XDG_DATA_HOME") is { Length: > 0 } data ? Path.Combine(data, program)
        : Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".local/share", program)
        : Path.Combine("/var/lib", program);
}
