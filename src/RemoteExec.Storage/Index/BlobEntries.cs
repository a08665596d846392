namespace RemoteExec.Storage;

/// <summary>The entries of an index, by number: found by digest, kept in the order in which their promises end. Guarded by the index's lock.</summary>
internal sealed class BlobEntries
{
    private readonly BlobSlots _slots = new();
    private readonly BlobTable _table;
    private readonly UseOrder _whole;
    private readonly UseOrder _brief;
    private readonly IUseRecorder? _recorder;
    private readonly long _granularityMs;

    public BlobEntries(TimeSpan useGranularity, IUseRecorder? recorder)
    {
        _table = new BlobTable(_slots);
        (_whole, _brief) = (new UseOrder(_slots), new UseOrder(_slots));
        _recorder = recorder;
        _granularityMs = Math.Max((long)useGranularity.TotalMilliseconds, 1);
    }

    public int Count => _slots.Count;

    /// <summary>Behind the last number that was ever given to an entry.</summary>
    public int End => _slots.End;

    public long UsedBytes { get; private set; }

    public long PromisedBytes => UsedBytes - _whole.ExpiredBytes - _brief.ExpiredBytes;

    /// <summary>Whose promise ends first, or none.</summary>
    public int Oldest
    {
        get
        {
            int whole = _whole.Oldest, brief = _brief.Oldest;
            if (whole < 0 || brief < 0) return Math.Max(whole, brief);
            return _slots[whole].UseMs <= _slots[brief].UseMs ? whole : brief;
        }
    }

    public bool Has(int number) => !_slots[number].IsFree;

    public StoredBlob BlobOf(int number) => _slots.BlobOf(number);

    public BlobUse UseOf(int number) => new(_slots.DigestOf(number), _slots[number].UseMs);

    public long UseMsOf(int number) => _slots[number].UseMs;

    public BlobFileKinds FilesOf(int number) => _slots[number].Files;

    /// <summary>Negative is a miss.</summary>
    public int Find(in Digest digest) => _table.Find(digest);

    /// <inheritdoc cref="BlobTable.FindMany"/>
    public void FindMany(ReadOnlySpan<Digest> digests, Span<int> found) => _table.FindMany(digests, found);

    /// <summary>A blob that was stored now.</summary>
    public void Add(in StoredBlob blob, long nowMs)
    {
        _recorder?.Record(blob.Digest, nowMs); // first: should it fail, nothing has happened
        Insert(blob, nowMs, isRecorded: true);
    }

    /// <summary>A blob that a restart found. What the log of the last run has of it may be of earlier: its next use is recorded in any case.</summary>
    public void Restore(in StoredBlob blob, long useMs) => Insert(blob, useMs, isRecorded: false);

    public void Use(int number, long useMs, bool isBrief = false)
    {
        ref var slot = ref _slots[number];
        // A brief promise takes nothing away from a longer one.
        if (isBrief ? useMs <= slot.UseMs : useMs < slot.UseMs) return;

        // Once in each stretch of the granularity: the log's use of a blob is never further from its last one than that.
        if (!slot.IsRecorded || slot.UseMs / _granularityMs != useMs / _granularityMs)
        {
            _recorder?.Record(_slots.DigestOf(number), useMs); // first: should it fail, nothing has happened
            slot.IsRecorded = true;
        }

        slot.UseMs = useMs;
        var from = OrderOf(number);
        var to = isBrief ? _brief : _whole;
        if (from == to && to.IsNewest(number) && !slot.IsExpired) return;
        from.Unlink(number);
        slot.IsBrief = isBrief;
        to.Append(number);
    }

    /// <summary>The blob is elsewhere, or in more places, or in fewer.</summary>
    public void Change(int number, in StoredBlob from, in StoredBlob to)
    {
        long grownBytes = to.AccountedBytes - from.AccountedBytes;
        OrderOf(number).Grow(number, grownBytes);
        UsedBytes += grownBytes;
        _slots.Put(number, to);
    }

    public void Forget(int number, in StoredBlob blob)
    {
        UsedBytes -= blob.AccountedBytes;
        OrderOf(number).Unlink(number);
        _table.Remove(number, blob.Digest);
        _slots.GiveBack(number);
    }

    /// <summary>Counts as unpromised who was not used since <paramref name="endedMs"/>; false when there are more.</summary>
    public bool TryExpire(long endedMs) => _whole.TryExpire(endedMs) && _brief.TryExpire(endedMs);

    private void Insert(in StoredBlob blob, long useMs, bool isRecorded)
    {
        int number = _slots.Take(blob);
        (_slots[number].UseMs, _slots[number].IsRecorded) = (useMs, isRecorded);
        _table.Add(number, blob.Digest);
        UsedBytes += blob.AccountedBytes;
        _whole.Append(number);
    }

    private UseOrder OrderOf(int number) => _slots[number].IsBrief ? _brief : _whole;
}
