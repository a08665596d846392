using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>
/// Which blobs there are, how much room they take, who was used when, and so who may go. No I/O of its own, one
/// lock, the time passed in.
/// </summary>
/// <remarks>
/// A use promises a blob for the retention time (D4), so the order of last uses is also the order in which promises end: if the least
/// recently used blob is still promised, all are. A hit may promise less, and who stores a result may want less or more (<see cref="RetentionRule"/>): that counts as a
/// use of correspondingly long ago, or of later, and such uses have orders of their own, in which, again, promises end one after the other. Eviction therefore
/// looks at one end of three lists, however many promises stand.
/// </remarks>
internal sealed partial class BlobIndex(long limitBytes, TimeSpan retention, TimeSpan useGranularity, IUseRecorder? recorder = null)
{
    /// <summary>So many entries are looked at, at most, before the lock is free for others: some fifty microseconds' worth.</summary>
    internal const int EntriesPerHold = 1024;

    /// <summary>So many are evicted, at most, before the lock is free: each costs the file system a rename or two, some ten microseconds.</summary>
    internal const int EvictionsPerHold = 128;

    // Builds ask for the same inputs with every action.
    private const long UseStepMs = 1000;

    // What a blob costs beside its bytes: as a record and in a footer, twice as long as its segment is half dead, and in memory. In a store of
    // tiny ones that is all of it: so many bytes of the limit for each blob bound that.
    private const int BytesPerBlobMin = 512;

    // In a store with a small limit they cost next to nothing.
    private const int FewBlobs = 1 << 16;

    private readonly BlobEntries _entries = new(useGranularity) { Recorder = recorder };
    private readonly RetentionRule _rule = new(retention);
    private readonly long _retentionMs = (long)retention.TotalMilliseconds;
    private long _reservedBytes;
    private long _clockMs;

    /// <summary>Held around every change; a store takes it to make a file operation and its entry one step.</summary>
    public Lock Gate { get; } = new();

    public long LimitBytes => limitBytes;

    /// <summary>More than so many blobs it does not hold, however small they are; what is being stored at the same time may come on top.</summary>
    public long BlobsMax { get; init; } = Math.Max(FewBlobs, limitBytes / BytesPerBlobMin);

    public TimeSpan Retention => retention;

    /// <summary>So much earlier than it happens a hit may count.</summary>
    public TimeSpan EarliestOfHit => _rule.For(PromiseKind.Use, isHalfPromised: true) - _rule.For(PromiseKind.Hit, isHalfPromised: true);

    /// <summary>So many are <see cref="StoredBlob.IsUnsure"/>: none, but after a loss of power.</summary>
    public int UnsureCount => _entries.UnsureCount;

    private bool IsHalfPromised => _entries.PromisedBytes > limitBytes / 2 || _entries.PromisedCount > BlobsMax / 2;

    /// <summary>To be done before anything else.</summary>
    public IndexRestart Restart() => new(_entries, Gate);

    /// <summary>From now on uses are remembered there.</summary>
    public void RecordTo(IUseRecorder uses)
    {
        lock (Gate) _entries.Recorder = uses;
    }

    /// <summary>Extends the promise; false is a miss.</summary>
    public bool Touch(in Digest digest, DateTimeOffset now)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            if (slot < 0) return false;
            _entries.Use(slot, UseClock(now));
            return true;
        }
    }

    /// <summary>Extends the promise, and says where the blob is; false is a miss.</summary>
    public bool TryUse(in Digest digest, DateTimeOffset now, out StoredBlob blob)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            blob = default;
            if (slot < 0) return false;
            _entries.Use(slot, UseClock(now));
            blob = _entries.BlobOf(slot);
            return true;
        }
    }

    /// <summary>Extends the promises of <paramref name="digests"/>, at most <see cref="EntriesPerHold"/>, and says where each blob is; null is a miss.</summary>
    public void UseMany(ReadOnlySpan<Digest> digests, DateTimeOffset now, Span<StoredBlob?> found)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(digests.Length, EntriesPerHold);
        Span<int> slots = stackalloc int[BlobTable.TogetherMax];
        lock (Gate)
        {
            long nowMs = UseClock(now);
            for (int start = 0; start < digests.Length; start += BlobTable.TogetherMax)
            {
                var together = digests.Slice(start, Math.Min(BlobTable.TogetherMax, digests.Length - start));
                _entries.FindMany(together, slots);
                for (int i = 0; i < together.Length; i++)
                {
                    found[start + i] = slots[i] < 0 ? null : _entries.BlobOf(slots[i]);
                    if (slots[i] >= 0) _entries.Use(slots[i], nowMs);
                }
            }
        }
    }

    /// <summary>Extends the promises of <paramref name="digests"/> from <paramref name="start"/> on, and adds those that are absent to <paramref name="missing"/>.</summary>
    /// <param name="count">At most <see cref="EntriesPerHold"/>.</param>
    public void TouchMany(
        IReadOnlyList<Digest> digests, int start, int count, DateTimeOffset now, ICollection<Digest> missing, PromiseKind kind = PromiseKind.Use)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, EntriesPerHold);
        var asked = DigestSpans.Of(digests, start, count);
        if (kind is PromiseKind.Hit or PromiseKind.Long) Expire(now); // how much is promised depends on it
        Span<int> slots = stackalloc int[BlobTable.TogetherMax];
        lock (Gate)
        {
            long nowMs = UseClock(now);
            long useMs = nowMs - _retentionMs + (long)_rule.For(kind, IsHalfPromised).TotalMilliseconds;
            var length = useMs < nowMs ? PromiseLength.Brief : useMs > nowMs ? PromiseLength.Long : PromiseLength.Whole;
            while (asked.Length > 0)
            {
                var together = asked[..Math.Min(BlobTable.TogetherMax, asked.Length)];
                asked = asked[together.Length..];
                _entries.FindMany(together, slots);
                for (int i = 0; i < together.Length; i++)
                {
                    if (slots[i] >= 0) _entries.Use(slots[i], useMs, length);
                    else if (!together[i].IsEmpty) missing.Add(together[i]);
                }
            }
        }
    }

    /// <summary>Where a blob is, which this is no use of; null is a miss.</summary>
    public StoredBlob? Find(in Digest digest)
    {
        lock (Gate) return _entries.Find(digest) is var slot and >= 0 ? _entries.BlobOf(slot) : null;
    }

    /// <summary>When a blob was used last, which this is no use of; null is a miss.</summary>
    public DateTimeOffset? LastUse(in Digest digest) => LastUseMs(digest) is { } useMs ? DateTimeOffset.FromUnixTimeMilliseconds(useMs) : null;

    /// <inheritdoc cref="LastUse"/>
    public long? LastUseMs(in Digest digest)
    {
        lock (Gate) return _entries.Find(digest) is var slot and >= 0 ? _entries.UseMsOf(slot) : null;
    }

    /// <summary>Turns a reservation into a blob; a failure leaves all as it was.</summary>
    public AddResult Add(in Digest digest, BlobPlace place, BlobFileKinds files, long reservedBytes, DateTimeOffset now)
    {
        lock (Gate) return Add(new StoredBlob(digest, place, files), reservedBytes, UseClock(now));
    }

    /// <inheritdoc cref="Add(in Digest, BlobPlace, BlobFileKinds, long, DateTimeOffset)"/>
    public AddResult Add(in StoredBlob blob, long reservedBytes, DateTimeOffset now)
    {
        lock (Gate) return Add(blob, reservedBytes, Clock(now));
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
            long nowMs = UseClock(now);
            for (int i = 0; i < blobs.Length; i++) results[i] = Add(blobs[i], blobs[i].AccountedBytes, nowMs);
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
            int slot = _entries.Find(digest);
            if (slot < 0) return false;
            var blob = _entries.BlobOf(slot);
            if (blob.Place != from) return false;
            Debug.Assert(!to.IsNone || blob.Files != BlobFileKinds.None, "a blob that is nowhere");
            _entries.Change(slot, blob, blob with { Place = to });
            return true;
        }
    }

    /// <summary>Turns a reservation into a file of a blob; false if the blob is gone meanwhile or has one (the reservation stays).</summary>
    public bool AddFile(in Digest digest, BlobFileKinds kind, long reservedBytes)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            if (slot < 0) return false;
            var blob = _entries.BlobOf(slot);
            if ((blob.Files & kind) != 0) return false;

            _entries.Change(slot, blob, blob with { Files = blob.Files | kind });
            _reservedBytes -= reservedBytes;
            return true;
        }
    }

    /// <summary>A blob has this file no longer. False when it is read from that, and nothing changes.</summary>
    public bool TryDropFile(in Digest digest, BlobFileKinds kind)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            if (slot < 0) return false;
            var blob = _entries.BlobOf(slot);
            var left = blob.Files & ~kind;
            if (left == blob.Files || (blob is { Place.IsNone: true, FrameBytes: 0 } && !left.HasFlag(BlobFileKinds.Executable))) return false;
            _entries.Change(slot, blob, blob with { Files = left });
            return true;
        }
    }

    /// <summary>The files that a blob has; none when it is not here.</summary>
    public BlobFileKinds FilesOf(in Digest digest)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            return slot < 0 ? BlobFileKinds.None : _entries.FilesOf(slot);
        }
    }

    public bool IsUnsure(in Digest digest)
    {
        if (UnsureCount == 0) return false; // without the lock: there never are more than at the start
        lock (Gate) return _entries.Find(digest) is var slot and >= 0 && _entries.BlobOf(slot).IsUnsure;
    }

    /// <summary>The file of a blob was read, and is what its name says.</summary>
    public void Trust(in Digest digest)
    {
        lock (Gate)
        {
            if (_entries.Find(digest) is not (var slot and >= 0) || _entries.BlobOf(slot) is not { IsUnsure: true } blob) return;
            _entries.Change(slot, blob, blob with { IsUnsure = false });
        }
    }

    /// <summary>Drops a blob that turned out to be bad; <paramref name="remove"/> runs under the lock. False when it is gone already.</summary>
    public bool Remove(in Digest digest, Action<StoredBlob> remove)
    {
        lock (Gate)
        {
            int slot = _entries.Find(digest);
            if (slot < 0) return false;
            var blob = _entries.BlobOf(slot);
            _entries.Forget(slot, blob);
            remove(blob);
            return true;
        }
    }

    /// <summary>
    /// A walk over all, in no order: the next blob from <paramref name="position"/> on, which it moves; null at the end. Promises nothing, and
    /// finds everything that is here from beginning to end.
    /// </summary>
    public StoredBlob? Next(ref int position)
    {
        while (true)
        {
            lock (Gate)
            {
                int end = Math.Min(_entries.End, position + EntriesPerHold);
                if (position >= end) return null;
                while (position < end)
                    if (_entries.Has(position++)) return _entries.BlobOf(position - 1);
            }
        }
    }

    public BlobStoreUsage Usage(bool isSuspect, DateTimeOffset now)
    {
        Expire(now);
        lock (Gate)
        {
            int oldest = _entries.Oldest;
            return new BlobStoreUsage(
                _entries.UsedBytes,
                _reservedBytes,
                _entries.PromisedBytes,
                limitBytes,
                _entries.Count,
                oldest < 0 ? null : DateTimeOffset.FromUnixTimeMilliseconds(_entries.UseMsOf(oldest)),
                _evictedBytes,
                _evictedAgeMs is { } ageMs ? TimeSpan.FromMilliseconds(ageMs) : null,
                isSuspect)
            {
                Retention = _rule.For(PromiseKind.Use, IsHalfPromised),
                HitRetention = _rule.For(PromiseKind.Hit, IsHalfPromised),
            };
        }
    }

    /// <summary>
    /// Tells every blob's last use, what a fresh log starts with, in slices: between two of them the lock is free, and <paramref name="take"/>
    /// runs without it.
    /// </summary>
    /// <remarks>
    /// Who is stored or used meanwhile needs no care. Who was told already has a use in the new log, and is recorded again when the granularity
    /// says so; who was not is told with the use that it has by then.
    /// </remarks>
    public void RecordAll(Action<UseSlice> take)
    {
        int end;
        long forgotten;
        lock (Gate) (end, forgotten) = (_entries.End, _entries.Forgotten);
        var slice = new UseSlice { Capacity = EntriesPerHold };
        for (int first = 0; first < end; first += EntriesPerHold)
        {
            slice.Clear();
            lock (Gate)
            {
                // Who went may have come back, in a slot that is behind those that were told.
                slice.AreNew = _entries.Forgotten == forgotten;
                for (int slot = first; slot < Math.Min(end, first + EntriesPerHold); slot++)
                    if (_entries.Has(slot)) slice.Add(_entries.UseOf(slot));
            }

            if (slice.Count > 0) take(slice);
        }
    }

    private void Expire(DateTimeOffset now)
    {
        for (bool isDone = false; !isDone;)
        {
            lock (Gate)
            {
                long endedMs = Clock(now) - _retentionMs;
                isDone = _entries.TryExpire(endedMs);
            }
        }
    }

    private AddResult Add(in StoredBlob blob, long reservedBytes, long nowMs)
    {
        int known = _entries.Find(blob.Digest);
        // Somebody outside may have deleted the file of one that is known, and it was just written again.
        if (known >= 0) _entries.Use(known, nowMs);
        else _entries.Add(blob, nowMs);
        _reservedBytes -= reservedBytes;
        Debug.Assert(_reservedBytes >= 0);
        return known >= 0 ? AddResult.Present : AddResult.Added;
    }

    // A wall clock may step back; the list must stay sorted by use, and a promise must not shrink.
    private long Clock(DateTimeOffset now) => _clockMs = Math.Max(_clockMs, now.ToUnixTimeMilliseconds());

    /// <summary>The time of a use: rounded up, so that it promises no less. Whoever is used again in the same second is where it belongs already. A store that promises nothing does not promise that second either.</summary>
    private long UseClock(DateTimeOffset now) => _retentionMs == 0 ? Clock(now) : (Clock(now) + UseStepMs - 1) / UseStepMs * UseStepMs;
}
