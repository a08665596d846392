namespace RemoteExec.Server;

/// <summary>How much of a disk a server may take that nobody gave a number.</summary>
internal static class DiskSpace
{
    private const long DefaultMax = 50_000_000_000;

    // Below it a single build's outputs do not fit, and eviction would fight with the build.
    private const long DefaultMin = 1_000_000_000;

    /// <summary>Half of what is free, between 1 and 50 GB; what the data directory holds already counts as free.</summary>
    public static long DefaultLimitBytes(string directory)
    {
        Directory.CreateDirectory(directory);
        long free = new DriveInfo(directory).AvailableFreeSpace;
        return Math.Clamp(free / 2, DefaultMin, DefaultMax);
    }
}
