using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>
/// Which blobs there are, how much room they take, who was used when, and so who may go. No I/O of its own, one
/// lock, the time passed in.
/// </summary>
/// <remarks>
/// Every use promises the blob for the same retention time (D4), so the order of last uses is also the order in which
/// promises end: if the least recently used blob is still promised, all are. Eviction therefore looks at one end of
/// one list, however many promises stand.
/// </remarks>
internal sealed class BlobIndex(long limitBytes, TimeSpan retention, TimeSpan useGranularity, IUseRecorder? recorder)
{
    /// <summary>So many entries are looked at, at most, before the lock is free for others: some fifty microseconds' worth.</summary>
    internal const int EntriesPerHold = 1024;

    /// <summary>So many are evicted, at most, before the lock is free: each costs the file system a rename or two, some ten microseconds.</summary>
    internal const int EvictionsPerHold = 128;

    private readonly Dictionary<Digest, BlobEntry> _entries = [];
    private readonly long _retentionMs = (long)retention.TotalMilliseconds;
    private readonly long _granularityMs = (long)useGranularity.TotalMilliseconds;
    private BlobEntry? _oldest;
    private BlobEntry? _newest;
    private long _usedBytes;
    private long _reservedBytes;
    private long _evictedBytes;
    private long? _evictedAgeMs;
    private long _clockMs;
    private BlobEntry? _walkedTo;
    private bool _isWalking;
    private int _generation;
    private BlobEntry? _promised; // the oldest that is not known to be out of its promise
    private long _expiredBytes; // of those before it

    /// <summary>Held around every change; a store takes it to make a file operation and its entry one step.</summary>
    public Lock Gate { get; } = new();

    public long LimitBytes => limitBytes;

    public TimeSpan Retention => retention;

    /// <summary>Extends the promise; false is a miss.</summary>
    public bool Touch(in Digest digest, DateTimeOffset now)
    {
        lock (Gate)
        {
            if (!_entries.TryGetValue(digest, out var entry)) return false;
            Use(entry, Clock(now));
            return true;
        }
    }

    /// <summary>Extends the promise, and says where the blob is; false is a miss.</summary>
    public bool TryUse(in Digest digest, DateTimeOffset now, out StoredBlob blob)
    {
        lock (Gate)
        {
            if (!_entries.TryGetValue(digest, out var entry))
            {
                blob = default;
                return false;
            }

            Use(entry, Clock(now));
            blob = entry.Blob;
            return true;
        }
    }

    /// <summary>Extends the promises of <paramref name="digests"/>, at most <see cref="EntriesPerHold"/>, and says where each blob is; null is a miss.</summary>
    public void UseMany(ReadOnlySpan<Digest> digests, DateTimeOffset now, Span<StoredBlob?> found)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(digests.Length, EntriesPerHold);
        lock (Gate)
        {
            long nowMs = Clock(now);
            for (int i = 0; i < digests.Length; i++)
            {
                found[i] = null;
                if (!_entries.TryGetValue(digests[i], out var entry)) continue;
                Use(entry, nowMs);
                found[i] = entry.Blob;
            }
        }
    }

    /// <summary>Extends the promises of <paramref name="digests"/> from <paramref name="start"/> on, and adds those that are absent to <paramref name="missing"/>.</summary>
    /// <param name="count">At most <see cref="EntriesPerHold"/>.</param>
    public void TouchMany(IReadOnlyList<Digest> digests, int start, int count, DateTimeOffset now, ICollection<Digest> missing)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, EntriesPerHold);
        lock (Gate)
        {
            long nowMs = Clock(now);
            for (int i = start; i < start + count; i++)
            {
                var digest = digests[i];
                if (digest.IsEmpty) continue;
                if (_entries.TryGetValue(digest, out var entry)) Use(entry, nowMs);
                else missing.Add(digest);
            }
        }
    }

    /// <summary>
    /// Sets room aside, evicting the least recently used blobs whose promise has ended. <paramref name="evict"/> runs
    /// under the lock and takes the blob's name away: from then on nobody can find it. <paramref name="pause"/> runs without the lock,
    /// which others may have between two slices; they may also take the room that was made.
    /// </summary>
    public Reservation Reserve(long bytes, DateTimeOffset now, Action<StoredBlob> evict, Action? pause = null)
    {
        while (true)
        {
            if (TryReserve(bytes, now, evict) is { } answer) return answer;
            pause?.Invoke();
        }
    }

    /// <summary>Null: there is more to evict.</summary>
    private Reservation? TryReserve(long bytes, DateTimeOffset now, Action<StoredBlob> evict)
    {
        lock (Gate)
        {
            if (bytes > limitBytes) return Reservation.NeverFits;

            long nowMs = Clock(now);
            for (int evictions = 0; _usedBytes + _reservedBytes > limitBytes - bytes; evictions++)
            {
                if (evictions == EvictionsPerHold) return null;
                if (_oldest is not { } victim) return Reservation.Refused(TimeSpan.Zero);

                long promisedMs = victim.LastUseMs + _retentionMs - nowMs;
                if (promisedMs > 0) return Reservation.Refused(TimeSpan.FromMilliseconds(promisedMs));

                evict(victim.Blob);
                Forget(victim);
                _evictedBytes += victim.AccountedBytes;
                _evictedAgeMs = nowMs - victim.LastUseMs;
            }

            _reservedBytes += bytes;
            return Reservation.Granted;
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

    /// <summary>Turns a reservation into a blob; a failure leaves all as it was.</summary>
    public AddResult Add(in Digest digest, BlobPlace place, BlobFileKinds files, long reservedBytes, DateTimeOffset now)
    {
        lock (Gate) return Add(new StoredBlob(digest, place, files), reservedBytes, Clock(now));
    }

    /// <summary>
    /// Turns reservations, of its <see cref="StoredBlob.AccountedBytes"/> each, into at most <see cref="EntriesPerHold"/> blobs. A failure is that of one
    /// blob and of those after it: they are <see cref="AddResult.NotAdded"/>.
    /// </summary>
    public void AddMany(ReadOnlySpan<StoredBlob> blobs, DateTimeOffset now, Span<AddResult> results)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(blobs.Length, EntriesPerHold);
        results[..blobs.Length].Clear();
        lock (Gate)
        {
            long nowMs = Clock(now);
            for (int i = 0; i < blobs.Length; i++) results[i] = Add(blobs[i], blobs[i].AccountedBytes, nowMs);
        }
    }

    /// <summary>Puts back what a restart found. Call in the order of use, oldest first.</summary>
    public void Restore(in StoredBlob blob, long lastUseMs, DateTimeOffset now)
    {
        lock (Gate)
        {
            long useMs = Math.Min(lastUseMs, Clock(now));
            var entry = new BlobEntry(blob) { LastUseMs = useMs, RecordedUseMs = useMs };
            _entries.Add(blob.Digest, entry);
            _usedBytes += entry.AccountedBytes;
            Append(entry);
        }
    }

    /// <summary>
    /// The blob is no longer at <paramref name="from"/>; false if it was not there, and nothing changes. Without <paramref name="to"/> it lives
    /// in its file from now on, which it must have.
    /// </summary>
    public bool TryMove(in Digest digest, BlobPlace from, BlobPlace to)
    {
        lock (Gate)
        {
            if (!_entries.TryGetValue(digest, out var entry) || entry.Blob.Place != from) return false;
            Debug.Assert(!to.IsNone || entry.Blob.Files != BlobFileKinds.None, "a blob that is nowhere");
            Change(entry, entry.Blob with { Place = to });
            return true;
        }
    }

    /// <summary>Turns a reservation into a file of a blob; false if the blob is gone meanwhile or has one (the reservation stays).</summary>
    public bool AddFile(in Digest digest, BlobFileKinds kind, long reservedBytes)
    {
        lock (Gate)
        {
            if (!_entries.TryGetValue(digest, out var entry) || (entry.Blob.Files & kind) != 0) return false;

            Change(entry, entry.Blob with { Files = entry.Blob.Files | kind });
            _reservedBytes -= reservedBytes;
            return true;
        }
    }

    /// <summary>The files that a blob has; none when it is not here.</summary>
    public BlobFileKinds FilesOf(in Digest digest)
    {
        lock (Gate) return _entries.TryGetValue(digest, out var entry) ? entry.Blob.Files : BlobFileKinds.None;
    }

    /// <summary>Drops a blob that turned out to be bad; <paramref name="remove"/> runs under the lock. False when it is gone already.</summary>
    public bool Remove(in Digest digest, Action<StoredBlob> remove)
    {
        lock (Gate)
        {
            if (!_entries.TryGetValue(digest, out var entry)) return false;
            Forget(entry);
            remove(entry.Blob);
            return true;
        }
    }

    public BlobStoreUsage Usage(bool isSuspect, DateTimeOffset now)
    {
        while (!TryExpire(now)) { }

        lock (Gate)
        {
            return new BlobStoreUsage(
                _usedBytes,
                _reservedBytes,
                _usedBytes - _expiredBytes,
                limitBytes,
                _entries.Count,
                _oldest is null ? null : DateTimeOffset.FromUnixTimeMilliseconds(_oldest.LastUseMs),
                _evictedBytes,
                _evictedAgeMs is { } ageMs ? TimeSpan.FromMilliseconds(ageMs) : null,
                isSuspect);
        }
    }

    /// <summary>
    /// Tells every blob's last use, what a fresh log starts with, oldest first and in slices: between two of them the lock is free,
    /// and <paramref name="take"/> runs without it. One at a time.
    /// </summary>
    /// <remarks>
    /// What is used meanwhile goes to the recorder however lately it was recorded, and to the newest end of the list. So the walk is over
    /// when it comes to the first such entry, and a store under load does not run ahead of it.
    /// </remarks>
    public void RecordAll(Action<IReadOnlyList<BlobUse>> take)
    {
        lock (Gate)
        {
            _generation++;
            _walkedTo = _oldest;
            _isWalking = true;
        }

        try
        {
            var slice = new List<BlobUse>(EntriesPerHold);
            while (TryWalk(slice)) take(slice);
        }
        finally
        {
            lock (Gate)
            {
                _walkedTo = null;
                _isWalking = false;
            }
        }
    }

    /// <summary>Leaves those behind whose promise has ended meanwhile; each is left once after each use. False when there are more.</summary>
    private bool TryExpire(DateTimeOffset now)
    {
        lock (Gate)
        {
            long nowMs = Clock(now);
            for (int i = 0; i < EntriesPerHold; i++)
            {
                if (_promised is not { } entry || entry.LastUseMs + _retentionMs > nowMs) return true;

                entry.IsExpired = true;
                _expiredBytes += entry.AccountedBytes;
                _promised = entry.Newer;
            }

            return false;
        }
    }

    private bool TryWalk(List<BlobUse> slice)
    {
        slice.Clear();
        lock (Gate)
        {
            while (slice.Count < EntriesPerHold && _walkedTo is { } entry && entry.Generation != _generation)
            {
                slice.Add(new BlobUse(entry.Digest, entry.LastUseMs));
                entry.Generation = _generation;
                _walkedTo = entry.Newer;
            }
        }

        return slice.Count > 0;
    }

    private AddResult Add(in StoredBlob blob, long reservedBytes, long nowMs)
    {
        if (_entries.TryGetValue(blob.Digest, out var known))
        {
            // Somebody outside deleted the file, and it was just written again.
            Use(known, nowMs);
            _reservedBytes -= reservedBytes;
            return AddResult.Present;
        }

        var entry = new BlobEntry(blob) { RecordedUseMs = long.MinValue / 2 };
        Note(entry, nowMs); // first: should it fail, nothing has happened
        _reservedBytes -= reservedBytes;
        Debug.Assert(_reservedBytes >= 0);
        _entries.Add(blob.Digest, entry);
        _usedBytes += entry.AccountedBytes;
        Append(entry);
        return AddResult.Added;
    }

    private void Change(BlobEntry entry, in StoredBlob blob)
    {
        long grownBytes = blob.AccountedBytes - entry.AccountedBytes;
        entry.Blob = blob;
        _usedBytes += grownBytes;
        if (entry.IsExpired) _expiredBytes += grownBytes;
    }

    private void Note(BlobEntry entry, long nowMs)
    {
        if (nowMs - entry.RecordedUseMs >= _granularityMs || (_isWalking && entry.Generation != _generation))
        {
            recorder?.Record(entry.Digest, nowMs);
            entry.RecordedUseMs = nowMs;
            entry.Generation = _generation;
        }

        entry.LastUseMs = nowMs;
    }

    private void Use(BlobEntry entry, long nowMs)
    {
        Note(entry, nowMs);
        if (entry == _newest && !entry.IsExpired) return;
        Unlink(entry);
        Append(entry);
    }

    private void Forget(BlobEntry entry)
    {
        _entries.Remove(entry.Digest);
        _usedBytes -= entry.AccountedBytes;
        Unlink(entry);
    }

    private void Append(BlobEntry entry)
    {
        entry.Older = _newest;
        entry.Newer = null;
        if (_newest is null) _oldest = entry;
        else _newest.Newer = entry;
        _newest = entry;
        _promised ??= entry;
    }

    private void Unlink(BlobEntry entry)
    {
        if (entry == _walkedTo) _walkedTo = entry.Newer;
        if (entry == _promised) _promised = entry.Newer;
        if (entry.IsExpired) _expiredBytes -= entry.AccountedBytes;
        entry.IsExpired = false;
        if (entry.Older is null) _oldest = entry.Newer;
        else entry.Older.Newer = entry.Newer;
        if (entry.Newer is null) _newest = entry.Older;
        else entry.Newer.Older = entry.Older;
        entry.Older = entry.Newer = null;
    }

    // A wall clock may step back; the list must stay sorted by use, and a promise must not shrink.
    private long Clock(DateTimeOffset now) => _clockMs = Math.Max(_clockMs, now.ToUnixTimeMilliseconds());
}
