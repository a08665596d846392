namespace RemoteExec.Worker;

/// <summary>
/// How large an action's /tmp and /dev/shm may grow. They are memory that no process is charged for when the
/// machine runs out of it, so what all slots can put there must leave room for everything else.
/// </summary>
internal static class ScratchShare
{
    // A compiler's temporary files, also on a small machine with many slots.
    private const long BytesMin = 16 << 20;

    public static long Of(WorkerOptions options, long machineBytes)
    {
        if (options.ActionScratchBytesMax is { } told and > 0) return told;

        long share = machineBytes / options.Slots;
        // Pages of /tmp count against the action's limit: with half of it left, a full /tmp is ENOSPC and not a kill.
        if (options.ActionMemoryBytesMax is { } limit and > 0) share = Math.Min(share, limit);
        return Math.Max(share / 4, Math.Min(BytesMin, share));
    }
}
