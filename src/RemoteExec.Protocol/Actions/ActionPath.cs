using System.Text;

namespace RemoteExec.Protocol;

/// <summary>
/// Paths that an action names: the working directory and the outputs. Resolved by their text alone against
/// the input root, before anything touches a file system.
/// </summary>
public static class ActionPath
{
    /// <summary>PATH_MAX without the terminating NUL.</summary>
    public const int BytesMax = 4095;

    /// <summary>Of a path from the input root: PATH_MAX is 4096, and the work directory that it is made in has a path too.</summary>
    public const int ResolvedBytesMax = 3500;

    /// <summary>
    /// Joins <paramref name="path"/> to <paramref name="directory"/> (itself resolved, empty for the root) and takes out
    /// <c>.</c> and <c>..</c>. The empty path is the directory. False for a path that leaves the root.
    /// </summary>
    public static bool TryResolve(string directory, string path, out string resolved, out string? error)
    {
        resolved = "";
        error = CheckText(path);
        if (error is not null) return false;

        var segments = new List<string>();
        if (directory.Length > 0) segments.AddRange(directory.Split('/'));
        foreach (string segment in path.Length == 0 ? [] : path.Split('/'))
        {
            if (segment == ".") continue;
            if (segment == ".." && segments.Count > 0)
            {
                segments.RemoveAt(segments.Count - 1);
                continue;
            }

            error = segment switch
            {
                "" => $"the path '{path}' has an empty element or a slash at its end",
                ".." => $"the path '{path}' leaves the input root",
                _ => NodeName.Check(segment),
            };
            if (error is not null) return false;
            segments.Add(segment);
        }

        resolved = string.Join('/', segments);
        if (Encoding.UTF8.GetByteCount(resolved) <= ResolvedBytesMax) return true;

        // Two paths that fit may make one that does not.
        error = $"the path '{path[..Math.Min(path.Length, 32)]}…' has more than {ResolvedBytesMax} bytes from the input root";
        return false;
    }

    private static string? CheckText(string path)
    {
        if (path.StartsWith('/')) return $"the path '{path}' is absolute";
        if (path.Contains('\0', StringComparison.Ordinal)) return "a path has a NUL";
        if (Encoding.UTF8.GetByteCount(path) > BytesMax) return $"the path '{path[..32]}…' is longer than {BytesMax} bytes";
        return null;
    }
}
