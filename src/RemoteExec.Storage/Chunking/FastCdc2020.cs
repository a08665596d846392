using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

/// <summary>
/// FastCDC as its authors published it in 2020, normalisation level 2 (REAPI, FastCdc2020Params): a cut is where the bits of a mask are
/// zero in the rolling hash; the mask has two bits more before the average size and two fewer behind it. Nothing is looked at below the minimum.
/// </summary>
public sealed class FastCdc2020 : IChunker
{
    /// <summary>REAPI's bounds for what is announced: outside of them clients ignore it.</summary>
    public const int AverageBytesMin = 1 << 10;
    public const int AverageBytesMax = 1 << 20;
    public const int AverageBytesDefault = 512 << 10;

    private const int Normalisation = 2;

    // From the paper's table of masks, by the logarithm of the size: bits spread so that a window of 48 bytes takes part.
    private const int FirstMask = 8;
    private static readonly ulong[] Masks =
    [
        0x0000_0018_0003_5300, 0x0000_0190_0035_3000, 0x0000_5900_0353_0000, 0x0000_d900_0353_0000, 0x0000_d901_0353_0000,
        0x0000_d903_0353_0000, 0x0000_d903_1353_0000, 0x0000_d90f_0353_0000, 0x0000_d903_0353_7000, 0x0000_d907_0353_7000,
        0x0000_d907_0753_7000, 0x0000_d917_0753_7000, 0x0000_d917_4753_7000, 0x0000_d917_6753_7000, 0x0000_d937_6753_7000,
    ];

    private readonly GearTable _gear;
    private readonly int _averageBytes;
    private readonly ulong _maskBefore;
    private readonly ulong _maskBehind;
    private int _scanned; // of the window; even
    private ulong _hash;

    public FastCdc2020(int averageBytes = AverageBytesDefault, uint seed = 0)
        : this(averageBytes, averageBytes / 4, averageBytes * 4, seed)
    {
    }

    /// <summary>The published vectors have another maximum than four times the average.</summary>
    internal FastCdc2020(int averageBytes, int chunkBytesMin, int chunkBytesMax, uint seed)
    {
        if (averageBytes is < AverageBytesMin or > AverageBytesMax || !BitOperations.IsPow2(averageBytes))
            throw new ArgumentOutOfRangeException(nameof(averageBytes), averageBytes, "a power of two from 1 KiB to 1 MiB");

        int bits = BitOperations.Log2((uint)averageBytes);
        _maskBefore = Masks[bits + Normalisation - FirstMask];
        _maskBehind = Masks[bits - Normalisation - FirstMask];
        _gear = new GearTable(seed);
        _averageBytes = averageBytes;
        ChunkBytesMin = chunkBytesMin;
        ChunkBytesMax = chunkBytesMax;
    }

    public int ChunkBytesMin { get; }

    public int ChunkBytesMax { get; }

    public int WindowBytesMax => ChunkBytesMax;

    /// <summary>The hash at the last cut, as the published vectors list it.</summary>
    internal ulong Fingerprint { get; private set; }

    public int Next(ReadOnlySpan<byte> window, bool isLast)
    {
        if (window.Length <= ChunkBytesMin) return isLast ? Cut(window.Length) : 0;

        if (_scanned == 0) _scanned = ChunkBytesMin & ~1;
        // An odd byte at the end is never tested: the published programs go by twos.
        int end = Math.Min(window.Length, ChunkBytesMax) & ~1;
        if (Find(window, Math.Min(_averageBytes, end), _maskBefore) || Find(window, end, _maskBehind)) return Cut(_scanned);
        if (window.Length >= ChunkBytesMax) return Cut(ChunkBytesMax);
        return isLast ? Cut(window.Length) : 0;
    }

    private int Cut(int bytes)
    {
        Fingerprint = _hash;
        _hash = 0;
        _scanned = 0;
        return bytes;
    }

    /// <summary>Looks on for a cut before <paramref name="end"/>; what was looked at ends at it.</summary>
    private bool Find(ReadOnlySpan<byte> window, int end, ulong mask)
    {
        while (GearLanes.IsSupported && _scanned >= GearTable.WindowBytes && end - _scanned >= GearLanes.BlockBytes)
        {
            ulong before = _hash;
            int lane = GearLanes.FindZero(_gear, window, _scanned, mask, ref _hash);
            _scanned += lane * GearLanes.LaneBytes;
            if (lane == GearLanes.Count) continue;

            _hash = lane == 0 ? before : _gear.Hash(window[(_scanned - GearTable.WindowBytes).._scanned]);
            return FindOneByOne(window, end, mask);
        }

        return FindOneByOne(window, end, mask);
    }

    private bool FindOneByOne(ReadOnlySpan<byte> window, int end, ulong mask)
    {
        ref byte bytes = ref MemoryMarshal.GetReference(window);
        ref ulong gear = ref _gear.First;
        ulong hash = _hash;
        int i = _scanned;
        for (; i < end - 3; i += 4)
        {
            // One dependent step for four bytes: what is added is summed up beside it, and the hashes in between are only looked at.
            ulong a = Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i));
            ulong ab = (a << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 1));
            ulong c = Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 2));
            ulong cd = (c << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 3));
            ulong first = (hash << 1) + a;
            ulong second = (hash << 2) + ab;
            ulong third = (second << 1) + c;
            hash = (hash << 4) + ((ab << 2) + cd);
            if ((first & mask) == 0) return Found(i, first);
            if ((second & mask) == 0) return Found(i + 1, second);
            if ((third & mask) == 0) return Found(i + 2, third);
            if ((hash & mask) == 0) return Found(i + 3, hash);
        }

        for (; i < end; i++)
        {
            hash = (hash << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i));
            if ((hash & mask) == 0) return Found(i, hash);
        }

        _hash = hash;
        _scanned = i;
        return false;

        bool Found(int at, ulong fingerprint)
        {
            // As the published programs have it, which shift once for two bytes.
            _hash = at % 2 == 0 ? fingerprint << 1 : fingerprint;
            _scanned = at;
            return true;
        }
    }
}
