using RemoteExec.Core;
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

    public static long FreeBytes(string path) => new DriveInfo(path).AvailableFreeSpace;

    /// <summary>What the store may hold.</summary>
    /// <exception cref="ServerRefusedException">The disk can never hold that much.</exception>
    public static long LimitBytes(SizeOrShare? wanted, string path, string blobs) =>
        wanted is { } size ? LimitOf(size, new DriveInfo(path).TotalSize, path) : DefaultLimitBytes(path, blobs);

    internal static long LimitOf(SizeOrShare wanted, long diskBytes, string path) => wanted.Of(diskBytes) <= diskBytes
        ? wanted.Of(diskBytes)
        : throw new ServerRefusedException(
            $"--max-cas-size: {UnitText.FormatSize(wanted.Bytes)} is more than the whole disk of {path}, which has {UnitText.FormatSize(diskBytes)}; write less, or a share of it, such as 60%");

    /// <summary>
    /// Half of what is free, between 1 and 50 GB. What <paramref name="blobs"/> holds already counts as free: without it,
    /// every restart would shrink the store and evict what the last run kept.
    /// </summary>
    private static long DefaultLimitBytes(string path, string blobs) =>
        LimitOf(new DriveInfo(path).AvailableFreeSpace, HeldBytes(blobs));

    internal static long LimitOf(long freeBytes, long heldBytes) => Math.Clamp((freeBytes + heldBytes) / 2, LimitMin, LimitMax);

    private static long HeldBytes(string blobs)
    {
        var folder = new DirectoryInfo(blobs);
        return folder.Exists ? folder.EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) : 0;
    }
}
