using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>What a restart makes of the blobs that it found and the uses that were recorded: no promise is shorter than it was.</summary>
internal static class RestoredUses
{
    public static void Put(BlobIndex index, List<StoredBlob> found, UseHistory history, TimeSpan granularity, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        // Not recorded means younger than the record: whoever cannot prove its age is new. But a log that was closed, and which the machine
        // has not gone down over since, has all that was there: what it has not was evicted, on a disk that did not take the note of it.
        bool isComplete = history is { Ending: UseLogEnding.Closed, IsOfThisBoot: true };
        long unrecordedMs = isComplete ? nowMs - (long)(index.Retention + granularity).TotalMilliseconds : nowMs;
        var byUse = found
            .Select(blob => (Blob: blob, UseMs: history.LastUseMs.GetValueOrDefault(blob.Digest, unrecordedMs)))
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
