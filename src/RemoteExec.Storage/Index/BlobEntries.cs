using System.Runtime.CompilerServices;

namespace RemoteExec.Storage;

/// <summary>The entries of an index, by number: found by digest, kept in the order in which their promises end. Guarded by the index's lock.</summary>
internal sealed partial class BlobEntries
{
    private readonly BlobSlots _slots = new();
    private readonly BlobTable _table;
    private readonly UseOrder[] _orders; // by the length of promises
    private readonly long _granularityMs;
    private long _stretchMs;

    public BlobEntries(TimeSpan useGranularity)
    {
        _table = new BlobTable(_slots);
        _orders = [.. Enum.GetValues<PromiseLength>().Select(_ => new UseOrder(_slots))];
        _granularityMs = Math.Max((long)useGranularity.TotalMilliseconds, 1);
    }

    /// <summary>Set once, before anything is used.</summary>
    public IUseRecorder? Recorder { get; set; }

    public int Count => _slots.Count;

    public int UnsureCount => _slots.UnsureCount;

    /// <summary>Behind the last number that was ever given to an entry.</summary>
    public int End => _slots.End;

    public long UsedBytes { get; private set; }

    /// <summary>So many were forgotten since the start.</summary>
    public long Forgotten { get; private set; }

    public long PromisedBytes => UsedBytes - _orders[0].ExpiredBytes - _orders[1].ExpiredBytes - _orders[2].ExpiredBytes;

    public int PromisedCount => Count - _orders[0].ExpiredCount - _orders[1].ExpiredCount - _orders[2].ExpiredCount;

    /// <summary>Whose promise ends first, or none.</summary>
    public int Oldest
    {
        get
        {
            int oldest = BlobSlot.None;
            foreach (var order in _orders)
                if (order.Oldest >= 0 && (oldest < 0 || _slots[order.Oldest].UseMs < _slots[oldest].UseMs)) oldest = order.Oldest;
            return oldest;
        }
    }

    public bool Has(int number) => !_slots[number].IsFree;

    public StoredBlob BlobOf(int number) => _slots.BlobOf(number);

    public BlobUse UseOf(int number) => new(_slots.DigestOf(number), _slots[number].UseMs) { Place = _slots.PlaceOf(number) };

    public long UseMsOf(int number) => _slots[number].UseMs;

    /// <inheritdoc cref="BlobSlot.IsRecorded"/>
    public bool IsRecorded(int number) => _slots[number].IsRecorded;

    public BlobFileKinds FilesOf(int number) => _slots[number].Files;

    /// <summary>Negative is a miss.</summary>
    public int Find(in Digest digest) => _table.Find(digest);

    /// <inheritdoc cref="BlobTable.FindMany"/>
    public void FindMany(ReadOnlySpan<Digest> digests, Span<int> found) => _table.FindMany(digests, found);

    /// <summary>A blob that was stored now.</summary>
    public void Add(in StoredBlob blob, long nowMs)
    {
        Recorder?.Record(blob.Digest, nowMs); // first: should it fail, nothing has happened
        int number = Insert(blob);
        (_slots[number].UseMs, _slots[number].IsRecorded) = (nowMs, true);
        UsedBytes += blob.AccountedBytes;
        OrderOf(number).Append(number);
    }

    public void Use(int number, long useMs, PromiseLength length = PromiseLength.Whole)
    {
        ref var slot = ref _slots[number];
        // A promise takes nothing away from one that ends later.
        if (length == PromiseLength.Whole ? useMs < slot.UseMs : useMs <= slot.UseMs) return;
        // Those of the same time are in any order.
        if (useMs == slot.UseMs && slot is { IsRecorded: true, IsExpired: false, Length: PromiseLength.Whole }) return;

        // Once in each stretch of the granularity: the log's use of a blob is never further from its last one than that.
        if (!slot.IsRecorded || slot.UseMs < StretchStart(useMs))
        {
            Recorder?.Record(_slots.DigestOf(number), useMs); // first: should it fail, nothing has happened
            slot.IsRecorded = true;
        }

        slot.UseMs = useMs;
        var from = OrderOf(number);
        var to = _orders[(int)length];
        if (from == to && to.IsNewest(number) && !slot.IsExpired) return;
        from.Unlink(number);
        slot.Length = length;
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
        Forgotten++;
        UsedBytes -= blob.AccountedBytes;
        OrderOf(number).Unlink(number);
        _table.Remove(number, blob.Digest);
        _slots.GiveBack(number);
    }

    /// <summary>Counts as unpromised who was not used since <paramref name="endedMs"/>; false when there are more.</summary>
    public bool TryExpire(long endedMs) => Array.TrueForAll(_orders, order => order.TryExpire(endedMs));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Insert(in Digest digest)
    {
        int number = _slots.Take(digest);
        _table.Add(number, digest);
        return number;
    }

    private int Insert(in StoredBlob blob)
    {
        int number = _slots.Take(blob);
        _table.Add(number, blob.Digest);
        return number;
    }

    /// <summary>When the stretch of the granularity began that this time is in. Most uses are of the time that was asked for last.</summary>
    private long StretchStart(long useMs)
    {
        if (useMs < _stretchMs || useMs - _stretchMs >= _granularityMs) _stretchMs = useMs / _granularityMs * _granularityMs;
        return _stretchMs;
    }

    private UseOrder OrderOf(int number) => _orders[(int)_slots[number].Length];
}
