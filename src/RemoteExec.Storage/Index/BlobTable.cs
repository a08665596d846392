using System.Diagnostics;
using System.Runtime.CompilerServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Finds a slot by its digest: chains of slots, one for each bucket. It grows by linear hashing, a bucket at a time, so nobody ever waits for
/// all of it to be sorted anew.
/// </summary>
internal sealed class BlobTable(BlobSlots slots)
{
    /// <summary>So many are looked for at once: their memory is fetched while others are on their way.</summary>
    public const int TogetherMax = 32;

    private const int ChunkBits = 14;
    private const int ChunkMask = (1 << ChunkBits) - 1;

    // Three slots share two buckets: 2.7 bytes for each instead of 4, for a quarter of a step more.
    private const int SlotsPerBucketsMax = 3;
    private const int BucketsPerSlotsMax = 2;

    // One more than the number of the first slot: zero is an empty bucket.
    private int[][] _chunks = [new int[1 << ChunkBits]];
    private int _buckets = 16;
    private int _mask = 15; // of the buckets that were there before this doubling began

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Find(in Digest digest) => FindFrom(Head(BucketOf(digest)) - 1, digest);

    /// <summary>The slot of each digest, or none. At most <see cref="TogetherMax"/>.</summary>
    /// <remarks>
    /// In a store of a million blobs each step is a wait for main memory, a tenth of a microsecond. So all ask for their memory first, and
    /// read it when it has come: ten thousand are found in the time of three thousand.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // everything that it calls is inlined, from the first call on
    public void FindMany(ReadOnlySpan<Digest> digests, Span<int> found)
    {
        for (int i = 0; i < digests.Length; i++)
        {
            found[i] = BucketOf(digests[i]);
            BlobSlots.Prefetch(ref Head(found[i]));
        }

        for (int i = 0; i < digests.Length; i++)
        {
            found[i] = Head(found[i]) - 1;
            if (found[i] >= 0) slots.Prefetch(found[i]);
        }

        for (int i = 0; i < digests.Length; i++)
        {
            found[i] = FindFrom(found[i], digests[i]);
            if (found[i] < 0) continue;

            // Who was used gets new neighbours.
            ref var slot = ref slots[found[i]];
            if (slot.Older >= 0) BlobSlots.Prefetch(ref slots[slot.Older].Newer);
            if (slot.Newer >= 0) BlobSlots.Prefetch(ref slots[slot.Newer].Newer);
        }
    }

    /// <summary>Asks for the memory that <see cref="Add"/> needs.</summary>
    public void Prefetch(in Digest digest) => BlobSlots.Prefetch(ref Head(BucketOf(digest)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int number, in Digest digest)
    {
        Push(BucketOf(digest), number);
        if ((long)slots.Count * BucketsPerSlotsMax > (long)_buckets * SlotsPerBucketsMax) Split();
    }

    public void Remove(int number, in Digest digest)
    {
        ref int at = ref Head(BucketOf(digest));
        if (at - 1 == number)
        {
            at = slots[number].Next + 1;
            return;
        }

        int before = at - 1;
        while (slots[before].Next != number) before = slots[before].Next;
        slots[before].Next = slots[number].Next;
    }

    /// <summary>Makes room for so many at once; of an empty table only.</summary>
    public void Prepare(int count)
    {
        Debug.Assert(slots.Count == 0);
        while ((long)count * BucketsPerSlotsMax > (long)_buckets * SlotsPerBucketsMax) (_buckets, _mask) = (_buckets * 2, (_mask * 2) + 1);
        for (int chunk = 0; chunk <= (_buckets - 1) >> ChunkBits; chunk++) AddChunk(chunk);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int FindFrom(int number, in Digest digest)
    {
        while (number >= 0 && !slots.Is(number, digest)) number = slots[number].Next;
        return number;
    }

    private void Split()
    {
        int from = _buckets - (_mask + 1), to = _buckets;
        if ((to & ChunkMask) == 0) AddChunk(to >> ChunkBits);
        _buckets++;
        if (_buckets == 2 * (_mask + 1)) _mask = (2 * _mask) + 1;

        int number = Head(from) - 1;
        Head(from) = 0;
        while (number >= 0)
        {
            int next = slots[number].Next;
            Push(BucketOf(Digest.HashCodeOf(slots[number].Hash)), number);
            number = next;
        }

        FetchChain(_buckets - (_mask + 1));
    }

    /// <summary>Which bucket is divided next is known, and the one after it: their memory comes while other things are done.</summary>
    private void FetchChain(int bucket)
    {
        int first = Head(bucket) - 1; // fetched the last time
        if (first >= 0 && slots[first].Next is var second and >= 0) slots.Prefetch(second);
        int later = Head(bucket + 1) - 1;
        if (later >= 0) slots.Prefetch(later);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Push(int bucket, int number)
    {
        ref int head = ref Head(bucket);
        slots[number].Next = head - 1;
        head = number + 1;
    }

    private int BucketOf(in Digest digest) => BucketOf(digest.GetHashCode());

    private int BucketOf(int code)
    {
        int bucket = code & ((2 * _mask) + 1);
        return bucket < _buckets ? bucket : code & _mask;
    }

    private ref int Head(int bucket) => ref _chunks[bucket >> ChunkBits][bucket & ChunkMask];

    private void AddChunk(int chunk)
    {
        if (chunk >= _chunks.Length) Array.Resize(ref _chunks, 2 * _chunks.Length);
        _chunks[chunk] ??= new int[1 << ChunkBits];
    }}
