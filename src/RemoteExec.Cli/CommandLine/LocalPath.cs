using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>Paths of this machine that somebody wrote.</summary>
internal static class LocalPath
{
    /// <exception cref="ClientException">No file can have it.</exception>
    public static string Check(string path) => path.Length == 0 ? throw new ClientException("a path is empty")
        : path.Contains('\0', StringComparison.Ordinal) ? throw new ClientException("a path has a NUL in it")
        : path;
}
