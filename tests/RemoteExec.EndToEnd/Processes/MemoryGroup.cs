namespace RemoteExec.EndToEnd;

/// <summary>A memory cgroup of version 1 (cgroups(7)): all who are in it and below share its limit. It must be empty at the end.</summary>
internal sealed class MemoryGroup : IDisposable
{
    private MemoryGroup(string path) => Path = path;

    public string Path { get; }

    /// <summary>Null where this machine has none, or does not let us.</summary>
    public static MemoryGroup? TryMake(long limitBytes)
    {
        string? mount = File.ReadLines("/proc/self/mounts").Select(line => line.Split(' '))
            .FirstOrDefault(words => words[2] == "cgroup" && words[3].Split(',').Contains("memory"))?[1];
        if (mount is null) return null;
        var group = new MemoryGroup(System.IO.Path.Combine(mount, $"e2e-{Guid.NewGuid():N}"));
        try
        {
            Directory.CreateDirectory(group.Path);
            File.WriteAllText(System.IO.Path.Combine(group.Path, "memory.limit_in_bytes"), $"{limitBytes}");
            string swapToo = System.IO.Path.Combine(group.Path, "memory.memsw.limit_in_bytes");
            if (File.Exists(swapToo)) File.WriteAllText(swapToo, $"{limitBytes}"); // absent without swap accounting
            return group;
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            if (Directory.Exists(group.Path)) group.Dispose();
            return null;
        }
    }

    // rmdir(2), not of the files in it, which are the kernel's.
    public void Dispose() => Directory.Delete(Path);
}
