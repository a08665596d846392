using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// All slots, by number. In chunks: growing copies nothing, and no single array is ever so large that it has to be found room for.
/// </summary>
internal sealed class BlobSlots
{
    public const int InlineHashBytes = 32;

    private const int ChunkBits = 12; // 240 KB each
    private const int ChunkMask = (1 << ChunkBits) - 1;

    private readonly Dictionary<int, byte[]> _hashRests = [];
    private readonly Dictionary<int, (long SizeBytes, BlobPlace Place)> _elsewhere = [];
    private readonly Dictionary<int, long> _frameBytes = [];
    private BlobSlot[][] _chunks = [];
    private int _free = BlobSlot.None;

    public int Count { get; private set; }

    /// <summary>Of these, who is <see cref="StoredBlob.IsUnsure"/>.</summary>
    public int UnsureCount { get; private set; }

    /// <summary>Behind the last number that was ever given out.</summary>
    public int End { get; private set; }

    public ref BlobSlot this[int number]
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _chunks[number >> ChunkBits][number & ChunkMask];
    }

    /// <summary>Asks for a slot's memory, which is there by the time that it is read. Most lie across two lines of the cache.</summary>
    public void Prefetch(int number)
    {
        ref var slot = ref this[number];
        Prefetch(ref slot);
        Prefetch(ref slot.Next);
    }

    public static unsafe void Prefetch<T>(ref T place)
    {
        // A hint, which does not fault: it may well be that the collector has moved the array by the time it counts.
        if (Sse.IsSupported) Sse.Prefetch0(Unsafe.AsPointer(ref place));
    }

    /// <summary>A slot for a new blob, in no order and no bucket.</summary>
    public int Take(in StoredBlob blob)
    {
        int number = Take(blob.Digest);
        Put(number, blob);
        return number;
    }

    /// <summary>The same for one that is nowhere yet.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Take(in Digest digest)
    {
        int number = _free;
        if (number == BlobSlot.None)
        {
            if (End >> ChunkBits == _chunks.Length) AddChunks();
            _chunks[End >> ChunkBits] ??= new BlobSlot[1 << ChunkBits];
            number = End++;
        }
        else
        {
            _free = this[number].Next;
        }

        ref var slot = ref this[number];
        slot = new BlobSlot { Function = digest.Function, Older = BlobSlot.None, Newer = BlobSlot.None, Next = BlobSlot.None };
        digest.CopyHeadTo(slot.Hash);
        slot.TryPut(digest.SizeBytes, default); // without a place it always fits
        if (digest.HashBytes > InlineHashBytes) _hashRests[number] = RestOf(digest);
        Count++;
        return number;
    }

    public void GiveBack(int number)
    {
        ref var slot = ref this[number];
        if (slot.IsElsewhere) _elsewhere.Remove(number);
        if (slot.HasFrame) _frameBytes.Remove(number);
        if (slot.IsUnsure) UnsureCount--;
        if (slot.Function.HashBytes() > InlineHashBytes) _hashRests.Remove(number);
        slot = new BlobSlot { Next = _free };
        _free = number;
        Count--;
    }

    /// <summary>Where in a segment the blob of this slot is; of one that has no files.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Place(int number, long sizeBytes, BlobPlace place)
    {
        ref var slot = ref this[number];
        if (slot.IsElsewhere) _elsewhere.Remove(number);
        if (!slot.TryPut(sizeBytes, place)) _elsewhere[number] = (sizeBytes, place);
    }

    /// <summary>Says anew where the blob of this slot is.</summary>
    public void Put(int number, in StoredBlob blob)
    {
        ref var slot = ref this[number];
        if (slot.IsElsewhere) _elsewhere.Remove(number);
        if (slot.HasFrame) _frameBytes.Remove(number);
        slot.Files = blob.Files;
        UnsureCount += (blob.IsUnsure ? 1 : 0) - (slot.IsUnsure ? 1 : 0);
        slot.IsUnsure = blob.IsUnsure;
        if (!slot.TryPut(blob.Digest.SizeBytes, blob.Place)) _elsewhere[number] = (blob.Digest.SizeBytes, blob.Place);
        if (blob.FrameBytes == 0) return;

        slot.HasFrame = true;
        _frameBytes[number] = blob.FrameBytes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public BlobPlace PlaceOf(int number) => this[number].IsElsewhere ? _elsewhere[number].Place : this[number].Place;

    public StoredBlob BlobOf(int number)
    {
        ref var slot = ref this[number];
        return new StoredBlob(DigestOf(number), PlaceOf(number), slot.Files)
        {
            IsUnsure = slot.IsUnsure,
            FrameBytes = FrameBytesOf(number),
        };
    }

    public Digest DigestOf(int number)
    {
        ref var slot = ref this[number];
        int hashBytes = slot.Function.HashBytes();
        if (hashBytes <= InlineHashBytes) return Digest.FromHash(slot.Function, slot.Hash[..hashBytes], SizeOf(number));

        return Digest.FromHash(slot.Function, [.. slot.Hash, .. _hashRests[number]], SizeOf(number));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public long AccountedBytesOf(int number)
    {
        ref var slot = ref this[number];
        long sizeBytes = SizeOf(number);
        return (sizeBytes * ((slot.HasPlace ? 1 : 0) + BitOperations.PopCount((uint)slot.Files))) + StoredBlob.AccountedFrameBytes(sizeBytes, FrameBytesOf(number));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Is(int number, in Digest digest)
    {
        ref var slot = ref this[number];
        return digest.StartsWith(slot.Hash)
            && slot.Function == digest.Function
            && SizeOf(number) == digest.SizeBytes
            && (digest.HashBytes <= InlineHashBytes || HasRest(number, digest));
    }

    private bool HasRest(int number, in Digest digest)
    {
        Span<byte> hash = stackalloc byte[DigestFunctions.HashBytesMax];
        digest.CopyHashTo(hash);
        return hash[InlineHashBytes..digest.HashBytes].SequenceEqual(_hashRests[number]);
    }

    private static byte[] RestOf(in Digest digest)
    {
        byte[] hash = new byte[digest.HashBytes];
        digest.CopyHashTo(hash);
        return hash[InlineHashBytes..];
    }

    private long FrameBytesOf(int number) => this[number].HasFrame ? _frameBytes[number] : 0;

    public long SizeOf(int number)
    {
        ref var slot = ref this[number];
        return slot.IsElsewhere ? _elsewhere[number].SizeBytes : slot.SizeBytes;
    }

    private void AddChunks() => Array.Resize(ref _chunks, Math.Max(16, 2 * _chunks.Length));
}
