using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace RemoteExec.Core;

/// <summary>Four inputs at once on any processor with 128-bit vectors (SSE, NEON); the base library picks the instructions.</summary>
internal readonly struct Blake3Lanes4 : IBlake3Lanes<Vector128<uint>>
{
    public static int Count => 4;

    public static Vector128<uint> Splat(uint value) => Vector128.Create(value);

    public static Vector128<uint> Add(Vector128<uint> left, Vector128<uint> right) => left + right;

    public static Vector128<uint> Xor(Vector128<uint> left, Vector128<uint> right) => left ^ right;

    // Whole bytes move by a shuffle, one instruction instead of three.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> RotateRight16(Vector128<uint> value) => Vector128.Shuffle(
        value.AsByte(), Vector128.Create((byte)2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> RotateRight12(Vector128<uint> value) => (value >>> 12) | (value << 20);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> RotateRight8(Vector128<uint> value) => Vector128.Shuffle(
        value.AsByte(), Vector128.Create((byte)1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12)).AsUInt32();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<uint> RotateRight7(Vector128<uint> value) => (value >>> 7) | (value << 25);

    public static void LoadBlocks(ref byte blocks, nuint strideBytes, ref Vector128<uint> words)
    {
        for (nuint part = 0; part < 4; part++)
        {
            ref byte row = ref Unsafe.Add(ref blocks, part * 16);
            var r0 = Vector128.LoadUnsafe(ref row).AsUInt32();
            var r1 = Vector128.LoadUnsafe(ref row, strideBytes).AsUInt32();
            var r2 = Vector128.LoadUnsafe(ref row, 2 * strideBytes).AsUInt32();
            var r3 = Vector128.LoadUnsafe(ref row, 3 * strideBytes).AsUInt32();
            Transpose(ref r0, ref r1, ref r2, ref r3);
            Unsafe.Add(ref words, part * 4) = r0;
            Unsafe.Add(ref words, (part * 4) + 1) = r1;
            Unsafe.Add(ref words, (part * 4) + 2) = r2;
            Unsafe.Add(ref words, (part * 4) + 3) = r3;
        }
    }

    public static void StoreChainingValues(ref Vector128<uint> words, ref byte chainingValues)
    {
        for (nuint half = 0; half < 2; half++)
        {
            var r0 = Unsafe.Add(ref words, half * 4);
            var r1 = Unsafe.Add(ref words, (half * 4) + 1);
            var r2 = Unsafe.Add(ref words, (half * 4) + 2);
            var r3 = Unsafe.Add(ref words, (half * 4) + 3);
            Transpose(ref r0, ref r1, ref r2, ref r3);
            r0.AsByte().StoreUnsafe(ref chainingValues, half * 16);
            r1.AsByte().StoreUnsafe(ref chainingValues, (half * 16) + 32);
            r2.AsByte().StoreUnsafe(ref chainingValues, (half * 16) + 64);
            r3.AsByte().StoreUnsafe(ref chainingValues, (half * 16) + 96);
        }
    }

    /// <summary>Rows become columns: a 4 × 4 block of words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose(ref Vector128<uint> r0, ref Vector128<uint> r1, ref Vector128<uint> r2, ref Vector128<uint> r3)
    {
        var low01 = InterleaveLow(r0, r1); // a0 b0 a1 b1
        var high01 = InterleaveHigh(r0, r1); // a2 b2 a3 b3
        var low23 = InterleaveLow(r2, r3);
        var high23 = InterleaveHigh(r2, r3);
        r0 = Vector128.Create(low01.GetLower(), low23.GetLower());
        r1 = Vector128.Create(low01.GetUpper(), low23.GetUpper());
        r2 = Vector128.Create(high01.GetLower(), high23.GetLower());
        r3 = Vector128.Create(high01.GetUpper(), high23.GetUpper());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> InterleaveLow(Vector128<uint> left, Vector128<uint> right) =>
        System.Runtime.Intrinsics.X86.Sse2.IsSupported
            ? System.Runtime.Intrinsics.X86.Sse2.UnpackLow(left, right)
            : Vector128.Create(left[0], right[0], left[1], right[1]);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<uint> InterleaveHigh(Vector128<uint> left, Vector128<uint> right) =>
        System.Runtime.Intrinsics.X86.Sse2.IsSupported
            ? System.Runtime.Intrinsics.X86.Sse2.UnpackHigh(left, right)
            : Vector128.Create(left[2], right[2], left[3], right[3]);
}
