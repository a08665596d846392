namespace RemoteExec.Files;

/// <summary>Makes names in a directory durable: a file that was flushed can still lose its name (fsync(2), NOTES).</summary>
public static class DurableDirectory
{
    /// <summary>
    /// Makes what is missing of each path, parents included, and flushes every directory that got a new name in it, once. What is
    /// there already costs nothing, and works on a full or read-only disk.
    /// </summary>
    public static void Create(IDisk disk, params IEnumerable<string> paths)
    {
        var touched = new HashSet<string>();
        foreach (string path in paths) Make(Path.GetFullPath(path), touched);
        foreach (string parent in touched) Flush(disk, parent);
    }

    /// <summary>Makes the names that are in a directory now durable.</summary>
    public static void Flush(IDisk disk, string directory)
    {
        // NTFS journals names by itself, and has no such call.
        if (OperatingSystem.IsWindows()) return;

        int errno = Posix.OpenDirectory(directory, out var handle);
        using (handle)
        {
            if (errno == 0) errno = disk.Flush(handle);
        }

        if (errno != 0) throw new FileSystemException($"flushing the directory {directory}", errno);
    }

    private static void Make(string path, HashSet<string> touched)
    {
        if (Directory.Exists(path)) return;
        if (Path.GetDirectoryName(path) is { } parent)
        {
            Make(parent, touched);
            touched.Add(parent);
        }

        Directory.CreateDirectory(path);
    }
}
