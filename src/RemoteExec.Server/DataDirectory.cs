using RemoteExec.Files;
using RemoteExec.Hosting;

namespace RemoteExec.Server;

/// <summary>The place under which everything durable lives, and how much of its disk a server takes that nobody gave a number.</summary>
internal static class DataDirectory
{
    private const long LimitMax = 50_000_000_000;

    // Below it a single build's outputs do not fit, and eviction would fight with the build.
    private const long LimitMin = 1_000_000_000;

    /// <summary>Makes it if absent. What it is made of is checked by the rooms that write there.</summary>
    /// <exception cref="ServerRefusedException">It cannot be made, or is somebody else's.</exception>
    public static void Create(string path)
    {
        try
        {
            ForeignFiles.Refuse(path, ServerPaths.Names, sentence => new ServerRefusedException(sentence));
            DurableDirectory.Create(new Disk(), path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new ServerRefusedException($"the data directory {path} cannot be made ({failure.Message}); choose another with --data-dir DIR", failure);
        }
    }

    /// <summary>
    /// Half of what is free, between 1 and 50 GB. What <paramref name="blobs"/> holds already counts as free: without it,
    /// every restart would shrink the store and evict what the last run kept.
    /// </summary>
    public static long DefaultLimitBytes(string path, string blobs) =>
        LimitOf(new DriveInfo(path).AvailableFreeSpace, HeldBytes(blobs));

    internal static long LimitOf(long freeBytes, long heldBytes) => Math.Clamp((freeBytes + heldBytes) / 2, LimitMin, LimitMax);

    private static long HeldBytes(string blobs)
    {
        var folder = new DirectoryInfo(blobs);
        return folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;
    }
}
