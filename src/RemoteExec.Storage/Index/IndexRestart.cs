using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>
/// How an index comes to what it knew: the uses that the last run recorded, then the blobs that are there, then the order of both. No promise is
/// shorter than it was.
/// </summary>
/// <remarks>
/// The uses go straight into the slots that the blobs will have, as entries without a place. Held beside them, ten million of them would take
/// a gigabyte, and be looked for once more.
/// </remarks>
internal sealed class IndexRestart(BlobEntries entries, Lock gate) : IUseTaker
{
    public void Expect(long uses)
    {
        lock (gate) entries.Prepare((int)Math.Min(uses, 1 << 28));
    }

    public void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs)
    {
        lock (gate) entries.Remember(digests, usesMs);
    }

    /// <summary>Whether the last run had that blob. From several threads, while nothing else happens.</summary>
    public bool Remembers(Digest digest) => entries.Find(digest) >= 0;

    /// <summary>Blobs that are there; from several threads, if need be.</summary>
    public void Put(ReadOnlySpan<StoredBlob> blobs)
    {
        while (!blobs.IsEmpty)
        {
            var slice = blobs[..Math.Min(BlobIndex.EntriesPerHold, blobs.Length)];
            blobs = blobs[slice.Length..];
            lock (gate) entries.Restore(slice);
        }
    }

    /// <summary>From now on the index is one like any other.</summary>
    public void Finish(UseHistory history, TimeSpan retention, TimeSpan granularity, DateTimeOffset now)
    {
        long nowMs = now.ToUnixTimeMilliseconds();
        // What is not in the log may have happened until now, as far as it says anything.
        long laterMs = history.Ending switch
        {
            UseLogEnding.Closed => 0,
            UseLogEnding.Killed => (long)granularity.TotalMilliseconds,
            UseLogEnding.Unknown => nowMs,
            _ => throw new UnreachableException($"ending {history.Ending}"),
        };
        // Not recorded means younger than the record: whoever cannot prove its age is new. But a log that was closed, and which the machine
        // has not gone down over since, has all that was there: what it has not was evicted, on a disk that did not take the note of it.
        bool isComplete = history is { Ending: UseLogEnding.Closed, IsOfThisBoot: true };
        long unrecordedMs = isComplete ? nowMs - (long)(retention + granularity).TotalMilliseconds : nowMs;
        long latestMs = nowMs + (long)(new RetentionRule(retention).Longest - retention).TotalMilliseconds;
        lock (gate) entries.Settle(laterMs, unrecordedMs, nowMs, latestMs);
    }
}
