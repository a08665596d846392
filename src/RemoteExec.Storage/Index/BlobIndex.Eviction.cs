using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>Who goes, and for whom.</summary>
internal sealed partial class BlobIndex
{
    private long _evictedBytes;
    private long? _evictedAgeMs;
    private long? _evictedUpToMs;

    /// <summary>Of the blobs that were evicted, the latest use: who was used before it is not here any more, who was used then may be. Null as long as none was.</summary>
    public long? EvictedUpToMs
    {
        get { lock (Gate) return _evictedUpToMs; }
    }

    /// <summary>
    /// Sets room aside, evicting the least recently used blobs whose promise has ended. <paramref name="evict"/> runs
    /// under the lock and takes the blob's name away: from then on nobody can find it. <paramref name="pause"/> runs without the lock,
    /// which others may have between two slices; they may also take the room that was made.
    /// </summary>
    /// <param name="blobs">So many new ones the room is for.</param>
    public Reservation Reserve(long bytes, DateTimeOffset now, Action<StoredBlob> evict, Action? pause = null, int blobs = 1)
    {
        while (true)
        {
            if (TryReserve(bytes, blobs, now, evict) is { } answer) return answer;
            pause?.Invoke();
        }
    }

    /// <summary>Gives a reservation back.</summary>
    public void Release(long bytes)
    {
        lock (Gate)
        {
            _reservedBytes -= bytes;
            Debug.Assert(_reservedBytes >= 0);
        }
    }

    /// <summary>
    /// Evicts, of at most <see cref="EvictionsPerHold"/> blobs, those that nobody was promised and nobody has used since: what is left of something
    /// that is worth nothing without the rest.
    /// </summary>
    /// <param name="usedUpToMs">Who was used later is of use to somebody else.</param>
    /// <param name="evict">As in <see cref="Reserve"/>.</param>
    public void GiveUp(ReadOnlySpan<Digest> digests, long usedUpToMs, DateTimeOffset now, Action<StoredBlob> evict)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(digests.Length, EvictionsPerHold);
        lock (Gate)
        {
            long endedMs = Math.Min(usedUpToMs, Clock(now) - _retentionMs);
            foreach (var digest in digests)
            {
                int slot = _entries.Find(digest);
                if (slot >= 0 && _entries.UseMsOf(slot) <= endedMs) Evict(slot, evict);
            }
        }
    }

    /// <summary>Null: there is more to evict.</summary>
    private Reservation? TryReserve(long bytes, int blobs, DateTimeOffset now, Action<StoredBlob> evict)
    {
        lock (Gate)
        {
            if (bytes > limitBytes) return Reservation.NeverFits;

            long nowMs = Clock(now);
            for (int evictions = 0; _entries.UsedBytes + _reservedBytes > limitBytes - bytes || _entries.Count > BlobsMax - blobs; evictions++)
            {
                if (evictions == EvictionsPerHold) return null;
                int victim = _entries.Oldest;
                if (victim < 0) return Reservation.Refused(TimeSpan.Zero);

                long useMs = _entries.UseMsOf(victim);
                long promisedMs = useMs + _retentionMs - nowMs;
                if (promisedMs > 0) return Reservation.Refused(TimeSpan.FromMilliseconds(promisedMs)) with { BlobsMax = _entries.Count > BlobsMax - blobs ? BlobsMax : 0 };

                Evict(victim, evict);
                _evictedAgeMs = nowMs - useMs;
                _evictedUpToMs = Math.Max(useMs, _evictedUpToMs ?? useMs);
            }

            _reservedBytes += bytes;
            return Reservation.Granted;
        }
    }

    private void Evict(int slot, Action<StoredBlob> evict)
    {
        var blob = _entries.BlobOf(slot);
        evict(blob);
        _entries.Forget(slot, blob);
        _evictedBytes += blob.AccountedBytes;
    }
}
