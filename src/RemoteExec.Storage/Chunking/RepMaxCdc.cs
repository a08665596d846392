using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

/// <summary>
/// RepMaxCDC (REAPI, RepMaxCdcParams): of all places within the horizon the one with the greatest rolling hash is a cut, then, again and
/// again, the greatest that leaves room for a minimal chunk before the last one found, until the first chunk is smaller than twice the minimum.
/// </summary>
/// <remarks>
/// Read backwards, those places are peaks: each exceeds all before it, counted from the first place where a chunk may end. Where a
/// minimal chunk follows a peak without another one, nothing that comes later can undo it, and all cuts up to it are settled. So each byte is
/// hashed once. Where no such place is within the horizon (and at a stream's end), one cut is made and the search begins anew behind it.
/// </remarks>
public sealed class RepMaxCdc : IChunker
{
    public const int ChunkBytesMinDefault = 256 << 10;
    public const int HorizonPerChunkDefault = 8;

    private readonly GearTable _gear = new(seed: 0);
    private readonly int _min;
    private readonly int _horizon;

    // Ends of chunks, counted from the window's start. Peaks are in their order; settled cuts the other way round.
    private readonly List<int> _peaks = [];
    private readonly List<int> _settled = [];
    private ulong _peakHash; // of the last peak
    private ulong _hash;
    private int _hashed;

    // What is known of the block that is hashed: the greatest of each lane, and the hash behind it.
    private readonly ulong[] _greatest = new ulong[GearLanes.Count];
    private ulong _lanesHash;
    private int _lanesFrom;
    private int _lanesEnd;

    public RepMaxCdc(int chunkBytesMin = ChunkBytesMinDefault, int horizonBytes = ChunkBytesMinDefault * HorizonPerChunkDefault)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunkBytesMin, GearTable.WindowBytes);
        ArgumentOutOfRangeException.ThrowIfNegative(horizonBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((2L * chunkBytesMin) + horizonBytes, Array.MaxLength);
        _min = chunkBytesMin;
        _horizon = horizonBytes;
    }

    public int ChunkBytesMin => _min;

    public int ChunkBytesMax => (2 * _min) - 1;

    public int WindowBytesMax => (2 * _min) + _horizon;

    public int Next(ReadOnlySpan<byte> window, bool isLast)
    {
        if (_settled.Count > 0) return NextSettled();
        if (window.Length < 2 * _min) return isLast ? window.Length : 0;

        bool isDecided = isLast || window.Length >= WindowBytesMax;
        // What is behind the last cut of a stream is a chunk too, so the cut leaves room for it.
        int last = Math.Min(window.Length, WindowBytesMax) - _min;
        if (_peaks.Count == 0) Begin(window);
        while (_hashed < last)
        {
            int peak = _peaks[^1];
            int settles = peak + _min - 1;
            if (FindPeak(window[..Math.Min(last, settles)])) continue;
            if (_hashed < settles) break;

            Settle();
            return NextSettled();
        }

        if (!isDecided) return 0;

        Settle();
        _settled.RemoveRange(0, _settled.Count - 1); // what comes later, or is behind the new cut, may undo the others
        return NextSettled();
    }

    private void Begin(ReadOnlySpan<byte> window)
    {
        _hash = _peakHash = _gear.Hash(window[(_min - GearTable.WindowBytes).._min]);
        _hashed = _min;
        _lanesEnd = 0;
        _peaks.Add(_min);
    }

    /// <summary>The cuts that lead to the last peak.</summary>
    private void Settle()
    {
        int cut = _peaks[^1];
        _settled.Add(cut);
        for (int i = _peaks.Count - 2; i >= 0 && cut >= 2 * _min; i--)
        {
            if (_peaks[i] > cut - _min) continue;
            cut = _peaks[i];
            _settled.Add(cut);
        }

        _peaks.Clear();
    }

    private int NextSettled()
    {
        int cut = _settled[^1];
        _settled.RemoveAt(_settled.Count - 1);
        for (int i = 0; i < _settled.Count; i++) _settled[i] -= cut;
        return cut;
    }

    /// <summary>Hashes on to the next peak, or to the end.</summary>
    private bool FindPeak(ReadOnlySpan<byte> window)
    {
        while (_hashed < _lanesEnd || TryHashLanes(window))
        {
            int lane = (_hashed - _lanesFrom) / GearLanes.LaneBytes;
            if (_greatest[lane] > _peakHash) return FindPeakOneByOne(window[..(_lanesFrom + ((lane + 1) * GearLanes.LaneBytes))]);

            do lane++;
            while (lane < GearLanes.Count && _greatest[lane] <= _peakHash);
            _hashed = _lanesFrom + (lane * GearLanes.LaneBytes);
            _hash = _hashed == _lanesEnd ? _lanesHash : _gear.Hash(window[(_hashed - GearTable.WindowBytes).._hashed]);
        }

        return FindPeakOneByOne(window);
    }

    private bool TryHashLanes(ReadOnlySpan<byte> window)
    {
        if (!GearLanes.IsSupported || window.Length - _hashed < GearLanes.BlockBytes) return false;

        _lanesHash = _hash;
        GearLanes.FindGreatest(_gear, window, _hashed, _greatest, ref _lanesHash);
        _lanesFrom = _hashed;
        _lanesEnd = _hashed + GearLanes.BlockBytes;
        return true;
    }

    private bool FindPeakOneByOne(ReadOnlySpan<byte> window)
    {
        ref byte bytes = ref MemoryMarshal.GetReference(window);
        ref ulong gear = ref _gear.First;
        ulong hash = _hash;
        ulong peak = _peakHash;
        int i = _hashed;
        for (; i < window.Length - 3; i += 4)
        {
            // One dependent step for four bytes: what is added is summed up beside it, and the hashes in between are only compared.
            ulong a = Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i));
            ulong ab = (a << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 1));
            ulong c = Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 2));
            ulong cd = (c << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i + 3));
            ulong first = (hash << 1) + a;
            ulong second = (hash << 2) + ab;
            ulong third = (second << 1) + c;
            hash = (hash << 4) + ((ab << 2) + cd);
            if (first > peak) return Found(i, first);
            if (second > peak) return Found(i + 1, second);
            if (third > peak) return Found(i + 2, third);
            if (hash > peak) return Found(i + 3, hash);
        }

        for (; i < window.Length; i++)
        {
            hash = (hash << 1) + Unsafe.Add(ref gear, Unsafe.Add(ref bytes, i));
            if (hash > peak) return Found(i, hash);
        }

        _hash = hash;
        _hashed = window.Length;
        return false;

        bool Found(int at, ulong value)
        {
            _hash = _peakHash = value;
            _hashed = at + 1;
            _peaks.Add(at + 1);
            return true;
        }
    }
}
