using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>What a restart makes of the blobs that it found and the uses that were recorded: no promise is shorter than it was.</summary>
internal static class RestoredUses
{
    public static void Put(BlobIndex index, List<StoredBlob> found, UseHistory history, TimeSpan granularity, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        // Not recorded means younger than the record: whoever cannot prove its age is new.
        var byUse = found
            .Select(blob => (Blob: blob, UseMs: history.LastUseMs.TryGetValue(blob.Digest, out long useMs) ? useMs : nowMs))
            .OrderBy(blob => blob.UseMs);
        foreach (var (blob, recordedMs) in byUse)
        {
            long useMs = history.Ending switch
            {
                UseLogEnding.Closed => recordedMs,
                UseLogEnding.Killed => recordedMs + (long)granularity.TotalMilliseconds,
                UseLogEnding.Unknown => nowMs,
                _ => throw new UnreachableException($"ending {history.Ending}"),
            };
            index.Restore(blob, useMs, now);
        }
    }
}
