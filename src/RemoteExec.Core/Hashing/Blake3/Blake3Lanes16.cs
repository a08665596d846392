using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RemoteExec.Core;

/// <summary>Sixteen inputs at once with AVX-512.</summary>
internal readonly struct Blake3Lanes16 : IBlake3Lanes<Vector512<uint>>
{
    public static int Count => 16;

    public static Vector512<uint> Splat(uint value) => Vector512.Create(value);

    public static Vector512<uint> Add(Vector512<uint> left, Vector512<uint> right) => left + right;

    public static Vector512<uint> Xor(Vector512<uint> left, Vector512<uint> right) => left ^ right;

    public static Vector512<uint> RotateRight16(Vector512<uint> value) => Avx512F.RotateRight(value, 16);

    public static Vector512<uint> RotateRight12(Vector512<uint> value) => Avx512F.RotateRight(value, 12);

    public static Vector512<uint> RotateRight8(Vector512<uint> value) => Avx512F.RotateRight(value, 8);

    public static Vector512<uint> RotateRight7(Vector512<uint> value) => Avx512F.RotateRight(value, 7);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void LoadBlocks(ref byte blocks, nuint strideBytes, ref Vector512<uint> words)
    {
        // Four rows at a time become, within each 128-bit quarter q, the columns 4q to 4q + 3 ...
        for (nuint group = 0; group < 4; group++)
        {
            ref byte row = ref Unsafe.Add(ref blocks, group * 4 * strideBytes);
            var r0 = Vector512.LoadUnsafe(ref row).AsUInt32();
            var r1 = Vector512.LoadUnsafe(ref row, strideBytes).AsUInt32();
            var r2 = Vector512.LoadUnsafe(ref row, 2 * strideBytes).AsUInt32();
            var r3 = Vector512.LoadUnsafe(ref row, 3 * strideBytes).AsUInt32();
            TransposeQuarters(ref r0, ref r1, ref r2, ref r3);
            Unsafe.Add(ref words, group) = r0;
            Unsafe.Add(ref words, 4 + group) = r1;
            Unsafe.Add(ref words, 8 + group) = r2;
            Unsafe.Add(ref words, 12 + group) = r3;
        }

        // ... and then quarters change places between the groups: words 4c to 4c + 3 hold column c of every quarter.
        Vector512<uint> c00, c04, c08, c12;
        (c00, c04, c08, c12) = TransposeGroups(ref words);
        var (c01, c05, c09, c13) = TransposeGroups(ref Unsafe.Add(ref words, 4));
        var (c02, c06, c10, c14) = TransposeGroups(ref Unsafe.Add(ref words, 8));
        var (c03, c07, c11, c15) = TransposeGroups(ref Unsafe.Add(ref words, 12));
        words = c00;
        Unsafe.Add(ref words, 1) = c01;
        Unsafe.Add(ref words, 2) = c02;
        Unsafe.Add(ref words, 3) = c03;
        Unsafe.Add(ref words, 4) = c04;
        Unsafe.Add(ref words, 5) = c05;
        Unsafe.Add(ref words, 6) = c06;
        Unsafe.Add(ref words, 7) = c07;
        Unsafe.Add(ref words, 8) = c08;
        Unsafe.Add(ref words, 9) = c09;
        Unsafe.Add(ref words, 10) = c10;
        Unsafe.Add(ref words, 11) = c11;
        Unsafe.Add(ref words, 12) = c12;
        Unsafe.Add(ref words, 13) = c13;
        Unsafe.Add(ref words, 14) = c14;
        Unsafe.Add(ref words, 15) = c15;
    }

    // Once for each sixteen chunks: the halves of the vectors go the way of eight lanes.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void StoreChainingValues(ref Vector512<uint> words, ref byte chainingValues)
    {
        Span<Vector256<uint>> half = stackalloc Vector256<uint>[8];
        for (int i = 0; i < half.Length; i++) half[i] = Unsafe.Add(ref words, i).GetLower();
        Blake3Lanes8.StoreChainingValues(ref half[0], ref chainingValues);
        for (int i = 0; i < half.Length; i++) half[i] = Unsafe.Add(ref words, i).GetUpper();
        Blake3Lanes8.StoreChainingValues(ref half[0], ref Unsafe.Add(ref chainingValues, 8 * Blake3.HashBytes));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void TransposeQuarters(
        ref Vector512<uint> r0, ref Vector512<uint> r1, ref Vector512<uint> r2, ref Vector512<uint> r3)
    {
        var low01 = Avx512F.UnpackLow(r0, r1).AsUInt64();
        var high01 = Avx512F.UnpackHigh(r0, r1).AsUInt64();
        var low23 = Avx512F.UnpackLow(r2, r3).AsUInt64();
        var high23 = Avx512F.UnpackHigh(r2, r3).AsUInt64();
        r0 = Avx512F.UnpackLow(low01, low23).AsUInt32();
        r1 = Avx512F.UnpackHigh(low01, low23).AsUInt32();
        r2 = Avx512F.UnpackLow(high01, high23).AsUInt32();
        r3 = Avx512F.UnpackHigh(high01, high23).AsUInt32();
    }

    /// <summary>A 4 × 4 block of 128-bit quarters.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (Vector512<uint> Q0, Vector512<uint> Q1, Vector512<uint> Q2, Vector512<uint> Q3) TransposeGroups(ref Vector512<uint> groups)
    {
        var g0 = groups;
        var g1 = Unsafe.Add(ref groups, 1);
        var g2 = Unsafe.Add(ref groups, 2);
        var g3 = Unsafe.Add(ref groups, 3);
        var low01 = Avx512F.Shuffle4x128(g0, g1, 0b01_00_01_00); // g0q0 g0q1 g1q0 g1q1
        var high01 = Avx512F.Shuffle4x128(g0, g1, 0b11_10_11_10);
        var low23 = Avx512F.Shuffle4x128(g2, g3, 0b01_00_01_00);
        var high23 = Avx512F.Shuffle4x128(g2, g3, 0b11_10_11_10);
        return (
            Avx512F.Shuffle4x128(low01, low23, 0b10_00_10_00), Avx512F.Shuffle4x128(low01, low23, 0b11_01_11_01),
            Avx512F.Shuffle4x128(high01, high23, 0b10_00_10_00), Avx512F.Shuffle4x128(high01, high23, 0b11_01_11_01));
    }
}
