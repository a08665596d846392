namespace RemoteExec.Files;

/// <summary>Makes names in a directory durable: a file that was flushed can still lose its name (fsync(2), NOTES).</summary>
public static class DurableDirectory
{
    /// <summary>
    /// Makes what is missing of each path, parents included, and flushes every directory that has one of the names in it, once: what is
    /// there already may be from a process that was killed before it came to that. Where nothing is new, a full or read-only disk
    /// and a parent that is not ours to read are no obstacle.
    /// </summary>
    public static void Create(IDisk disk, params IEnumerable<string> paths)
    {
        var parents = new Dictionary<string, bool>(); // whether something in it is new
        foreach (string path in paths) Make(Path.GetFullPath(path), parents);
        foreach (var (parent, isChanged) in parents)
        {
            int errno = TryFlush(disk, parent);
            if (errno != 0 && (isChanged || Errno.IsUnreadable(errno))) throw new FileSystemException($"flushing the directory {parent}", errno);
        }
    }

    /// <summary>Makes the names that are in a directory now durable.</summary>
    public static void Flush(IDisk disk, string directory)
    {
        int errno = TryFlush(disk, directory);
        if (errno != 0) throw new FileSystemException($"flushing the directory {directory}", errno);
    }

    private static int TryFlush(IDisk disk, string directory)
    {
        // NTFS journals names by itself, and has no such call.
        if (OperatingSystem.IsWindows()) return 0;

        int errno = Posix.OpenDirectory(directory, out var handle);
        using (handle) return errno == 0 ? disk.Flush(handle) : errno;
    }

    private static void Make(string path, Dictionary<string, bool> parents)
    {
        if (Path.GetDirectoryName(path) is not { } parent) return;

        Make(parent, parents);
        bool isNew = !Directory.Exists(path);
        if (isNew) Directory.CreateDirectory(path);
        parents[parent] = isNew || parents.GetValueOrDefault(parent);
    }
}
