using System.Runtime.CompilerServices;

namespace RemoteExec.Storage;

/// <summary>How entries come to be what they were, under <see cref="IndexRestart"/>.</summary>
internal sealed partial class BlobEntries
{
    /// <summary>For a restart: room for so many.</summary>
    public void Prepare(int count) => _table.Prepare(count);

    /// <summary>For a restart: uses of blobs that may be there, in no order; counted nowhere until <see cref="Settle"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // it runs once, for long: there is nobody who would compile it better meanwhile
    public void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs)
    {
        Span<int> found = stackalloc int[BlobTable.TogetherMax];
        while (!digests.IsEmpty)
        {
            int together = Math.Min(BlobTable.TogetherMax, digests.Length);
            _table.FindMany(digests[..together], found);
            for (int i = 0; i < together; i++)
            {
                // Twice in one breath is rare; then the first of the two is there by now.
                int number = found[i] >= 0 ? found[i] : _table.Find(digests[i]);
                if (number < 0) number = Insert(digests[i]);
                ref var slot = ref _slots[number];
                slot.UseMs = Math.Max(slot.UseMs, usesMs[i]);
                slot.IsRecorded = true;
            }

            digests = digests[together..];
            usesMs = usesMs[together..];
        }
    }

    /// <summary>For a restart: uses with places, of blobs that are not there yet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Load(ReadOnlySpan<BlobUse> uses)
    {
        for (int start = 0; start < uses.Length; start += BlobTable.TogetherMax)
        {
            var together = uses.Slice(start, Math.Min(BlobTable.TogetherMax, uses.Length - start));
            foreach (ref readonly var use in together) _table.Prefetch(use.Digest);
            foreach (ref readonly var use in together) Load(Insert(use.Digest), use);
        }
    }

    /// <summary>For a restart: the same where some may be there. Of two places one is as good as the other, and segments tell what is wrong.</summary>
    public void LoadAgain(ReadOnlySpan<BlobUse> uses)
    {
        foreach (ref readonly var use in uses)
        {
            int number = _table.Find(use.Digest);
            Load(number < 0 ? Insert(use.Digest) : number, use);
        }
    }

    /// <summary>For a restart: of each segment, what was placed in it so far; and those that are larger than <paramref name="packedBytesMax"/>, one by one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public Dictionary<int, SegmentTally> Tally(int packedBytesMax)
    {
        var tallies = new Dictionary<int, SegmentTally>();
        SegmentTally? tally = null;
        int segment = 0;
        for (int number = 0; number < End; number++)
        {
            if (!_slots[number].HasPlace && !_slots[number].IsElsewhere) continue;
            var place = _slots.PlaceOf(number);
            if (place.IsNone) continue;

            // Neighbours mostly are of one segment.
            if (tally is null || place.Segment != segment)
            {
                segment = place.Segment;
                if (!tallies.TryGetValue(segment, out tally)) tallies.Add(segment, tally = new SegmentTally());
            }

            long sizeBytes = _slots.SizeOf(number);
            tally.DataBytes += sizeBytes;
            tally.LivingBytes += SegmentFormat.HeadBytes(_slots[number].Function) + sizeBytes;
            if (sizeBytes > packedBytesMax) tally.Larger.Add(new SegmentRecord(_slots.DigestOf(number), place.Offset));
        }

        return tallies;
    }

    /// <summary>For a restart: who was placed in a segment that is none of these is nowhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void KeepPlaces(IReadOnlySet<int> segments)
    {
        for (int number = 0; number < End; number++)
        {
            var place = _slots.PlaceOf(number);
            if (!place.IsNone && !segments.Contains(place.Segment)) _slots.Place(number, _slots.SizeOf(number), default);
        }
    }

    /// <summary>For a restart: what is in a segment, before any files. Of two records of a blob one is dead.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Place(ReadOnlySpan<SegmentRecord> records, int segment, List<StoredBlob> dead)
    {
        Span<int> found = stackalloc int[BlobTable.TogetherMax];
        Span<Digest> digests = new Digest[BlobTable.TogetherMax];
        while (!records.IsEmpty)
        {
            var together = records[..Math.Min(BlobTable.TogetherMax, records.Length)];
            records = records[together.Length..];
            for (int i = 0; i < together.Length; i++) digests[i] = together[i].Digest;
            _table.FindMany(digests[..together.Length], found);
            for (int i = 0; i < together.Length; i++)
            {
                int number = found[i] >= 0 ? found[i] : _table.Find(digests[i]);
                if (number < 0) number = Insert(digests[i]);
                var (place, known) = (new BlobPlace(segment, together[i].Offset), _slots.PlaceOf(number));
                bool isLater = place.Segment > known.Segment || (place.Segment == known.Segment && place.Offset > known.Offset);
                if (!known.IsNone) dead.Add(new StoredBlob(digests[i], isLater ? known : place, BlobFileKinds.None));
                if (isLater) _slots.Place(number, digests[i].SizeBytes, place);
            }
        }
    }

    /// <summary>For a restart: where records of these blobs were placed.</summary>
    public void PlacesOf(ReadOnlySpan<StoredBlob> blobs, Span<BlobPlace> places)
    {
        Span<int> found = stackalloc int[BlobTable.TogetherMax];
        for (int start = 0; start < blobs.Length; start += BlobTable.TogetherMax)
        {
            var together = blobs.Slice(start, Math.Min(BlobTable.TogetherMax, blobs.Length - start));
            FindMany(together, found);
            for (int i = 0; i < together.Length; i++) places[start + i] = found[i] < 0 ? default : _slots.PlaceOf(found[i]);
        }
    }

    /// <summary>For a restart: blobs that are there.</summary>
    public void Restore(ReadOnlySpan<StoredBlob> blobs)
    {
        Span<int> found = stackalloc int[BlobTable.TogetherMax];
        while (!blobs.IsEmpty)
        {
            var together = blobs[..Math.Min(BlobTable.TogetherMax, blobs.Length)];
            blobs = blobs[together.Length..];
            FindMany(together, found);
            for (int i = 0; i < together.Length; i++)
            {
                if (found[i] >= 0) _slots.Put(found[i], together[i]);
                else Insert(together[i]);
            }
        }
    }

    /// <summary>For a restart: forgets who is not there, and puts all others in order.</summary>
    /// <param name="laterMs">How much later than recorded a blob may have been used. Whoever is not recorded cannot prove its age, and is new.</param>
    /// <param name="unrecordedMs">The use of those that no use is recorded of.</param>
    /// <param name="latestMs">No use counts as one of later: a long promise counts as one that is still to come.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Settle(long laterMs, long unrecordedMs, long nowMs, long latestMs)
    {
        var order = new RestartOrder(_slots);
        for (int number = 0; number < End; number++)
        {
            ref var slot = ref _slots[number];
            if (slot.IsFree) continue;
            if (slot is { Files: BlobFileKinds.None, HasPlace: false, HasFrame: false })
            {
                _table.Remove(number, _slots.DigestOf(number));
                _slots.GiveBack(number);
                continue;
            }

            slot.UseMs = slot.IsRecorded ? Math.Min(slot.UseMs, latestMs) : unrecordedMs;
            UsedBytes += _slots.AccountedBytesOf(number);
            order.Expect(slot.UseMs);
        }

        int[] numbers = order.Sort();
        for (int i = 0; i < numbers.Length; i++)
        {
            if (i + RestartOrder.Ahead < numbers.Length) _slots.Prefetch(numbers[i + RestartOrder.Ahead]);
            ref var slot = ref _slots[numbers[i]];
            // Exact to the granularity: what is recorded as to come, or as a little ago, may be to come so much later.
            long lastMs = slot.IsRecorded ? Math.Max(nowMs, Math.Min(slot.UseMs + _granularityMs, latestMs)) : nowMs;
            slot.UseMs = Math.Min(slot.UseMs + laterMs, lastMs);
            slot.Length = slot.UseMs > nowMs ? PromiseLength.Long : PromiseLength.Whole;
            // What the log of the last run has of it may be of earlier: the next use is recorded in any case.
            slot.IsRecorded = false;
            OrderOf(numbers[i]).Append(numbers[i]);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Load(int number, in BlobUse use)
    {
        ref var slot = ref _slots[number];
        slot.UseMs = Math.Max(slot.UseMs, use.UseMs);
        slot.IsRecorded = true;
        if (!use.Place.IsNone) _slots.Place(number, use.Digest.SizeBytes, use.Place);
    }

    private void FindMany(ReadOnlySpan<StoredBlob> blobs, Span<int> found)
    {
        var digests = new Digest[blobs.Length];
        for (int i = 0; i < digests.Length; i++) digests[i] = blobs[i].Digest;
        _table.FindMany(digests, found);
    }
}
