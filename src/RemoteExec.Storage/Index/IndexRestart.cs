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
    private readonly List<SegmentClaim> _claims = [];
    private bool _areAllNew = true;

    public void Expect(long uses)
    {
        lock (gate) entries.Prepare((int)Math.Min(uses, 1 << 28));
    }

    public void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs)
    {
        _areAllNew = false;
        lock (gate) entries.Remember(digests, usesMs);
    }

    public void Claim(ReadOnlySpan<SegmentClaim> claims) => _claims.AddRange(claims);

    public void Remember(ReadOnlySpan<BlobUse> uses, bool areNew)
    {
        _areAllNew &= areNew;
        lock (gate)
        {
            if (_areAllNew) entries.Load(uses);
            else entries.LoadAgain(uses);
        }
    }

    /// <summary>
    /// Before any segment is read: places that the log had, in segments that are still what they were. All others are forgotten.
    /// </summary>
    /// <param name="tryTake">Whether a segment is what it was; then nobody reads its records.</param>
    public void KeepPlaces(int packedBytesMax, Func<SegmentClaim, SegmentTally, bool> tryTake)
    {
        lock (gate)
        {
            var tallies = entries.Tally(packedBytesMax);
            var kept = new HashSet<int>();
            foreach (var claim in _claims)
            {
                var tally = tallies.GetValueOrDefault(claim.Segment) ?? new SegmentTally();
                if (tally.LivingBytes == claim.LivingBytes && tryTake(claim, tally)) kept.Add(claim.Segment);
            }

            if (tallies.Keys.Any(segment => !kept.Contains(segment))) entries.KeepPlaces(kept);
        }
    }

    /// <summary>So many blobs are known so far.</summary>
    public int Count => entries.Count;

    /// <summary>There are blobs that were not looked at since a loss of power.</summary>
    public bool HasUnsure => entries.UnsureCount > 0;

    /// <summary>Whether the last run had that blob. From several threads, while nothing else happens.</summary>
    public bool Remembers(Digest digest) => entries.Find(digest) is var number and >= 0 && entries.IsRecorded(number);

    /// <summary>What is known of a blob so far; null is nothing.</summary>
    public StoredBlob? Find(in Digest digest)
    {
        lock (gate) return entries.Find(digest) is var number and >= 0 ? entries.BlobOf(number) : null;
    }

    /// <summary>Where the records of these blobs are, at most <see cref="BlobIndex.EntriesPerHold"/>.</summary>
    public void PlacesOf(ReadOnlySpan<StoredBlob> blobs, Span<BlobPlace> places)
    {
        lock (gate) entries.PlacesOf(blobs, places);
    }

    /// <summary>Blobs that are in a segment, from several threads. Of two records of a blob the one in front, which counts no more, is added to <paramref name="dead"/>.</summary>
    public void Place(ReadOnlySpan<SegmentRecord> records, int segment, List<StoredBlob> dead)
    {
        while (!records.IsEmpty)
        {
            var slice = records[..Math.Min(BlobIndex.EntriesPerHold, records.Length)];
            records = records[slice.Length..];
            lock (gate) entries.Place(slice, segment, dead);
        }
    }

    /// <summary>Blobs that are there, with all that is known of them; from several threads, if need be.</summary>
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
