using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RemoteExec.Core;

/// <summary>Eight inputs at once with AVX2.</summary>
internal readonly struct Blake3Lanes8 : IBlake3Lanes<Vector256<uint>>
{
    public static int Count => 8;

    public static Vector256<uint> Splat(uint value) => Vector256.Create(value);

    public static Vector256<uint> Add(Vector256<uint> left, Vector256<uint> right) => left + right;

    public static Vector256<uint> Xor(Vector256<uint> left, Vector256<uint> right) => left ^ right;

    // Whole bytes move by a shuffle within each 128-bit half, one instruction instead of three.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateRight16(Vector256<uint> value) => Avx2.Shuffle(
        value.AsByte(),
        Vector256.Create(
            (byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,
            2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateRight12(Vector256<uint> value) => (value >>> 12) | (value << 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateRight8(Vector256<uint> value) => Avx2.Shuffle(
        value.AsByte(),
        Vector256.Create(
            (byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12,
            1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> RotateRight7(Vector256<uint> value) => (value >>> 7) | (value << 25);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadBlocks(ref byte blocks, nuint strideBytes, ref Vector256<uint> words)
    {
        for (nuint half = 0; half < 2; half++)
        {
            ref byte row = ref Unsafe.Add(ref blocks, half * 32);
            ref var target = ref Unsafe.Add(ref words, half * 8);
            for (nuint lane = 0; lane < 8; lane++)
                Unsafe.Add(ref target, lane) = Vector256.LoadUnsafe(ref row, lane * strideBytes).AsUInt32();
            Transpose(ref target);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreChainingValues(ref Vector256<uint> words, ref byte chainingValues)
    {
        Transpose(ref words);
        for (nuint lane = 0; lane < 8; lane++)
            Unsafe.Add(ref words, lane).AsByte().StoreUnsafe(ref chainingValues, lane * 32);
    }

    /// <summary>Rows become columns: an 8 × 8 block of words, in pairs of words, then of pairs, then of halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(ref Vector256<uint> rows)
    {
        var r0 = rows;
        var r1 = Unsafe.Add(ref rows, 1);
        var r2 = Unsafe.Add(ref rows, 2);
        var r3 = Unsafe.Add(ref rows, 3);
        var r4 = Unsafe.Add(ref rows, 4);
        var r5 = Unsafe.Add(ref rows, 5);
        var r6 = Unsafe.Add(ref rows, 6);
        var r7 = Unsafe.Add(ref rows, 7);

        var (a04, a15, a26, a37) = TransposeHalves(r0, r1, r2, r3);
        var (b04, b15, b26, b37) = TransposeHalves(r4, r5, r6, r7);

        rows = Avx2.Permute2x128(a04, b04, 0x20);
        Unsafe.Add(ref rows, 1) = Avx2.Permute2x128(a15, b15, 0x20);
        Unsafe.Add(ref rows, 2) = Avx2.Permute2x128(a26, b26, 0x20);
        Unsafe.Add(ref rows, 3) = Avx2.Permute2x128(a37, b37, 0x20);
        Unsafe.Add(ref rows, 4) = Avx2.Permute2x128(a04, b04, 0x31);
        Unsafe.Add(ref rows, 5) = Avx2.Permute2x128(a15, b15, 0x31);
        Unsafe.Add(ref rows, 6) = Avx2.Permute2x128(a26, b26, 0x31);
        Unsafe.Add(ref rows, 7) = Avx2.Permute2x128(a37, b37, 0x31);
    }

    /// <summary>Transposes four rows within each 128-bit half: columns 0 and 4, 1 and 5, 2 and 6, 3 and 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector256<uint> C04, Vector256<uint> C15, Vector256<uint> C26, Vector256<uint> C37) TransposeHalves(
        Vector256<uint> r0, Vector256<uint> r1, Vector256<uint> r2, Vector256<uint> r3)
    {
        var low01 = Avx2.UnpackLow(r0, r1).AsUInt64();
        var high01 = Avx2.UnpackHigh(r0, r1).AsUInt64();
        var low23 = Avx2.UnpackLow(r2, r3).AsUInt64();
        var high23 = Avx2.UnpackHigh(r2, r3).AsUInt64();
        return (
            Avx2.UnpackLow(low01, low23).AsUInt32(), Avx2.UnpackHigh(low01, low23).AsUInt32(),
            Avx2.UnpackLow(high01, high23).AsUInt32(), Avx2.UnpackHigh(high01, high23).AsUInt32());
    }
}
