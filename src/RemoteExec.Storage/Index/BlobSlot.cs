using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

/// <summary>
/// One stored blob as the index keeps it: sixty bytes and no object, since a store of ten million has ten million of them.
/// <code>
/// hash     32  zero padded; what is longer has its rest in a side table (BlobSlots)
/// facts     8  last use, Unix ms (43 bits) | flags (13) | size, low bits (8)
/// place     8  in a segment: segment (24) | offset (28) | size, high bits (12); else there is a frame (1) | the size (63)
/// links    12  neighbours in the order of uses, next in the same bucket of the table
/// </code>
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = sizeof(int))]
internal struct BlobSlot
{
    public const int None = -1;

    private const int UseShift = 21;
    private const int SegmentBits = 24;
    private const int OffsetBits = 28;
    private const int SizeLowBits = 8;
    private const int SizeHighBits = 64 - SegmentBits - OffsetBits;

    private const int FunctionShift = SizeLowBits;
    private const int FilesShift = FunctionShift + 4;
    private const ulong HasPlaceFlag = 1UL << (FilesShift + 2);
    private const ulong IsElsewhereFlag = HasPlaceFlag << 1;
    private const ulong IsExpiredFlag = HasPlaceFlag << 2;
    private const ulong IsRecordedFlag = HasPlaceFlag << 3;
    private const ulong IsUnsureFlag = HasPlaceFlag << 4;
    private const int LengthShift = FilesShift + 2 + 5; // the last two that are free

    private const ulong HasFrameBit = 1UL << 63;

    private HashHead _hash;
    private ulong _facts;
    private ulong _place;

    public int Older;
    public int Newer;
    public int Next;

    [UnscopedRef]
    public Span<byte> Hash => _hash;

    /// <summary>Nobody's: <c>default</c> has no hash function.</summary>
    public readonly bool IsFree => Function == default;

    public DigestFunction Function
    {
        readonly get => (DigestFunction)((_facts >> FunctionShift) & 0xF);
        set => Set(0xFUL << FunctionShift, (ulong)value << FunctionShift);
    }

    public BlobFileKinds Files
    {
        readonly get => (BlobFileKinds)((_facts >> FilesShift) & 0x3);
        set => Set(0x3UL << FilesShift, (ulong)value << FilesShift);
    }

    /// <summary>The use that its promise counts from; what was before 1970 is as old as that.</summary>
    public long UseMs
    {
        readonly get => (long)(_facts >> UseShift);
        set => Set(ulong.MaxValue << UseShift, (ulong)Math.Max(value, 0) << UseShift);
    }

    /// <summary>Its promise was found to have ended, and it was not used since.</summary>
    public bool IsExpired
    {
        readonly get => (_facts & IsExpiredFlag) != 0;
        set => Set(IsExpiredFlag, value ? IsExpiredFlag : 0);
    }

    /// <summary>The log has a use of it, at most the granularity before the last one.</summary>
    public bool IsRecorded
    {
        readonly get => (_facts & IsRecordedFlag) != 0;
        set => Set(IsRecordedFlag, value ? IsRecordedFlag : 0);
    }

    /// <summary>The order that it is in.</summary>
    public PromiseLength Length
    {
        readonly get => (PromiseLength)((_facts >> LengthShift) & 0x3);
        set => Set(0x3UL << LengthShift, (ulong)value << LengthShift);
    }

    /// <inheritdoc cref="StoredBlob.IsUnsure"/>
    public bool IsUnsure
    {
        readonly get => (_facts & IsUnsureFlag) != 0;
        set => Set(IsUnsureFlag, value ? IsUnsureFlag : 0);
    }

    /// <summary>Size and place are too large for the slot, and in a side table.</summary>
    public readonly bool IsElsewhere => (_facts & IsElsewhereFlag) != 0;

    public readonly bool HasPlace => (_facts & HasPlaceFlag) != 0;

    /// <summary>Not of one that <see cref="IsElsewhere"/>.</summary>
    public readonly long SizeBytes => HasPlace
        ? (long)((_facts & ((1UL << SizeLowBits) - 1)) | ((_place & ((1UL << SizeHighBits) - 1)) << SizeLowBits))
        : (long)(_place & ~HasFrameBit);

    /// <summary>Of one without a place: it has a file that is compressed, whose size is in a side table.</summary>
    public bool HasFrame
    {
        readonly get => !HasPlace && (_place & HasFrameBit) != 0;
        set
        {
            Debug.Assert(!HasPlace);
            _place = value ? _place | HasFrameBit : _place & ~HasFrameBit;
        }
    }

    /// <summary>Not of one that <see cref="IsElsewhere"/>.</summary>
    public readonly BlobPlace Place => HasPlace
        ? new BlobPlace((int)(_place >> (OffsetBits + SizeHighBits)), (int)((_place >> SizeHighBits) & ((1UL << OffsetBits) - 1)))
        : default;

    /// <summary>False when they do not fit: then the slot says that they are elsewhere.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool TryPut(long sizeBytes, BlobPlace place)
    {
        Debug.Assert(sizeBytes >= 0 && place is { Segment: >= 0, Offset: >= 0 });
        Set(HasPlaceFlag, place.IsNone ? 0 : HasPlaceFlag);
        Set(IsElsewhereFlag | ((1UL << SizeLowBits) - 1), 0);
        if (place.IsNone)
        {
            _place = (ulong)sizeBytes;
            return true;
        }

        ulong size = (ulong)sizeBytes;
        if (size >> (SizeLowBits + SizeHighBits) != 0 || place.Segment >> SegmentBits != 0 || place.Offset >> OffsetBits != 0)
        {
            Set(IsElsewhereFlag, IsElsewhereFlag);
            return false;
        }

        Set((1UL << SizeLowBits) - 1, size & ((1UL << SizeLowBits) - 1));
        _place = ((ulong)place.Segment << (OffsetBits + SizeHighBits)) | ((ulong)place.Offset << SizeHighBits) | (size >> SizeLowBits);
        return true;
    }

    private void Set(ulong mask, ulong bits) => _facts = (_facts & ~mask) | bits;

    [InlineArray(BlobSlots.InlineHashBytes)]
    private struct HashHead
    {
        private byte _first;
    }
}
