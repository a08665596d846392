using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RemoteExec.Storage;

/// <summary>
/// The rolling hash over a block as eight lanes side by side. A hash is decided by 64 bytes (<see cref="GearTable.WindowBytes"/>), so each lane begins that
/// many before its part, and none waits for the one before it. What is found says in which lanes something is; where in the lane is for a second, slow look,
/// which is rare.
/// </summary>
internal static class GearLanes
{
    public const int Count = 8;

    /// <summary>Of which the bytes before a lane, hashed twice, are a thirty-second part.</summary>
    public const int LaneBytes = 2048;

    public const int BlockBytes = Count * LaneBytes;

    private const int Width = 4; // of a vector
    private const int Step = sizeof(ulong);

    /// <summary>Without gathers it would be no faster than a byte at a time.</summary>
    public static bool IsSupported => Avx2.IsSupported;

    /// <summary>The first lane in which a hash has none of the bits of <paramref name="mask"/>; none: <see cref="Count"/>.</summary>
    /// <param name="window">The window of a chunk, of which a block is looked at.</param>
    /// <param name="start">Of the block, at least <see cref="GearTable.WindowBytes"/>.</param>
    /// <param name="hash">Before the block; at the end behind it.</param>
    public static int FindZero(GearTable gear, ReadOnlySpan<byte> window, int start, ulong mask, ref ulong hash)
    {
        var zeros = new Zeros(mask);
        Run(gear, window, start, ref hash, ref zeros);
        int lanes = (int)Vector256.Equals(zeros.Low, Vector256<ulong>.Zero).ExtractMostSignificantBits()
            | ((int)Vector256.Equals(zeros.High, Vector256<ulong>.Zero).ExtractMostSignificantBits() << Width);
        return lanes == 0 ? Count : int.TrailingZeroCount(lanes);
    }

    /// <summary>The greatest hash of each lane.</summary>
    /// <inheritdoc cref="FindZero"/>
    public static void FindGreatest(GearTable gear, ReadOnlySpan<byte> window, int start, Span<ulong> greatest, ref ulong hash)
    {
        var most = default(Most);
        Run(gear, window, start, ref hash, ref most);
        most.Low.CopyTo(greatest);
        most.High.CopyTo(greatest[Width..]);
    }

    private static unsafe void Run<TLook>(GearTable gear, ReadOnlySpan<byte> window, int start, ref ulong hash, ref TLook look)
        where TLook : struct, ILook
    {
        Debug.Assert(start >= GearTable.WindowBytes && start + BlockBytes <= window.Length);
        fixed (byte* bytes = &window[start])
        fixed (ulong* values = &gear.First)
        {
            Vector256<ulong> low = default, high = default;
            var ignored = default(Ignored);
            for (int i = -GearTable.WindowBytes; i < 0; i += Step) Hash(bytes + i, values, ref low, ref high, ref ignored);
            low = low.WithElement(0, hash);
            for (int i = 0; i < LaneBytes; i += Step) Hash(bytes + i, values, ref low, ref high, ref look);
            hash = high[Width - 1];
        }
    }

    /// <summary>Eight bytes on, in every lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void Hash<TLook>(byte* bytes, ulong* values, ref Vector256<ulong> low, ref Vector256<ulong> high, ref TLook look)
        where TLook : struct, ILook
    {
        var lowBytes = Load(bytes);
        var highBytes = Load(bytes + (Width * LaneBytes));
        var one = Vector256.Create((ulong)byte.MaxValue);
        for (int i = 0; i < Step; i++)
        {
            low = low + low + Avx2.GatherVector256(values, (lowBytes & one).AsInt64(), sizeof(ulong));
            high = high + high + Avx2.GatherVector256(values, (highBytes & one).AsInt64(), sizeof(ulong));
            lowBytes >>= 8;
            highBytes >>= 8;
            look.At(low, high);
        }
    }

    /// <summary>Eight bytes of each of four lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe Vector256<ulong> Load(byte* bytes) => Vector256.Create(
        Unsafe.ReadUnaligned<ulong>(bytes), Unsafe.ReadUnaligned<ulong>(bytes + LaneBytes),
        Unsafe.ReadUnaligned<ulong>(bytes + (2 * LaneBytes)), Unsafe.ReadUnaligned<ulong>(bytes + (3 * LaneBytes)));

    private interface ILook
    {
        void At(Vector256<ulong> low, Vector256<ulong> high);
    }

    [StructLayout(LayoutKind.Auto)]
    private readonly struct Ignored : ILook
    {
        public void At(Vector256<ulong> low, Vector256<ulong> high)
        {
        }
    }

    /// <summary>The least of the masked hashes of each lane: zero, if there is one.</summary>
    [StructLayout(LayoutKind.Auto)]
    private struct Zeros(ulong mask) : ILook
    {
        private readonly Vector256<ulong> _mask = Vector256.Create(mask);

        public Vector256<ulong> Low = Vector256<ulong>.AllBitsSet;
        public Vector256<ulong> High = Vector256<ulong>.AllBitsSet;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At(Vector256<ulong> low, Vector256<ulong> high)
        {
            Low = Vector256.Min(Low, low & _mask);
            High = Vector256.Min(High, high & _mask);
        }
    }

    [StructLayout(LayoutKind.Auto)]
    private struct Most : ILook
    {
        public Vector256<ulong> Low;
        public Vector256<ulong> High;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void At(Vector256<ulong> low, Vector256<ulong> high)
        {
            Low = Vector256.Max(Low, low);
            High = Vector256.Max(High, high);
        }
    }
}
