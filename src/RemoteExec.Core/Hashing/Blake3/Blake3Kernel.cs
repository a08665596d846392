using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace RemoteExec.Core;

/// <summary>
/// BLAKE3's compression function (specification, section 2.2) on as many inputs at once as a vector has lanes.
/// </summary>
[SkipLocalsInit]
internal static class Blake3Kernel<TVector, TLanes>
    where TVector : unmanaged
    where TLanes : IBlake3Lanes<TVector>
{
    private const int CacheLineBytes = 64;

    /// <summary>Hashes the first complete chunks, one for each lane, into their chaining values.</summary>
    public static void HashChunks(ReadOnlySpan<byte> chunks, ulong firstChunk, Span<byte> chainingValues)
    {
        HashInputs(
            chunks, firstChunk, counterStep: 1, Blake3.BlocksPerChunk, Blake3.BlockBytes,
            flags: 0, Blake3.ChunkStart, Blake3.ChunkEnd, chainingValues);
    }

    /// <summary>Hashes the first pairs of chaining values, one for each lane, into those of their parents.</summary>
    public static void HashParents(ReadOnlySpan<byte> pairs, Span<byte> chainingValues)
    {
        HashInputs(
            pairs, counter: 0, counterStep: 0, blocks: 1, Blake3.BlockBytes,
            Blake3.Parent, flagsOfFirst: 0, flagsOfLast: 0, chainingValues);
    }

    /// <summary>Hashes one run of blocks for each lane; the last block counts <paramref name="lastBlockBytes"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void HashInputs(
        ReadOnlySpan<byte> inputs, ulong counter, uint counterStep, int blocks, int lastBlockBytes,
        uint flags, uint flagsOfFirst, uint flagsOfLast, Span<byte> chainingValues)
    {
        // The one place where lengths are checked; from here on references are followed unchecked.
        ArgumentOutOfRangeException.ThrowIfLessThan(inputs.Length, TLanes.Count * blocks * Blake3.BlockBytes);
        ArgumentOutOfRangeException.ThrowIfLessThan(chainingValues.Length, TLanes.Count * Blake3.HashBytes);

        // On a cache line's border: a vector of 64 bytes that straddles two lines costs two reads.
        Span<byte> scratch = stackalloc byte[((8 + 16) * Unsafe.SizeOf<TVector>()) + CacheLineBytes];
        ref TVector chaining = ref FirstAligned(scratch);
        ref TVector words = ref Unsafe.Add(ref chaining, 8);
        for (int i = 0; i < 8; i++) Unsafe.Add(ref chaining, i) = TLanes.Splat(Blake3.InitialWords[i]);

        var (counterLow, counterHigh) = Counters(counter, counterStep);
        ref byte block = ref MemoryMarshal.GetReference(inputs);
        nuint strideBytes = (nuint)(blocks * Blake3.BlockBytes);
        for (int i = 0; i < blocks; i++)
        {
            bool isLast = i == blocks - 1;
            uint blockFlags = flags | (i == 0 ? flagsOfFirst : 0) | (isLast ? flagsOfLast : 0);
            uint blockBytes = isLast ? (uint)lastBlockBytes : Blake3.BlockBytes;

            Prefetch(ref block, strideBytes);
            TLanes.LoadBlocks(ref block, strideBytes, ref words);
            Compress(ref chaining, ref words, counterLow, counterHigh, blockBytes, blockFlags);
            block = ref Unsafe.Add(ref block, Blake3.BlockBytes);
        }

        TLanes.StoreChainingValues(ref chaining, ref MemoryMarshal.GetReference(chainingValues));
    }

    // The lanes read many short runs at once, which the processor's own prefetcher does not see coming: from memory,
    // rather than from a cache, this makes a gigabyte 1.6 times as fast. Past the end it is a hint without effect.
    private static unsafe void Prefetch(ref byte block, nuint strideBytes)
    {
        if (!Sse.IsSupported) return;

        ref byte ahead = ref Unsafe.Add(ref block, (nuint)TLanes.Count * strideBytes);
        for (int lane = 0; lane < TLanes.Count; lane++)
        {
            Sse.Prefetch1(Unsafe.AsPointer(ref ahead));
            ahead = ref Unsafe.Add(ref ahead, strideBytes);
        }
    }

    private static unsafe ref TVector FirstAligned(Span<byte> scratch)
    {
        // The stack does not move, so an address is a fact.
        nuint address = (nuint)Unsafe.AsPointer(ref MemoryMarshal.GetReference(scratch));
        nuint aligned = (address + CacheLineBytes - 1) & ~(nuint)(CacheLineBytes - 1);
        return ref Unsafe.AsRef<TVector>((void*)aligned);
    }

    private static (TVector Low, TVector High) Counters(ulong first, uint step)
    {
        Span<uint> low = stackalloc uint[TLanes.Count];
        Span<uint> high = stackalloc uint[TLanes.Count];
        for (int lane = 0; lane < low.Length; lane++)
        {
            ulong counter = first + ((ulong)lane * step);
            low[lane] = (uint)counter;
            high[lane] = (uint)(counter >> 32);
        }

        return (MemoryMarshal.Cast<uint, TVector>(low)[0], MemoryMarshal.Cast<uint, TVector>(high)[0]);
    }

    // Optimised at the first call: a large blob would be hashed before the tiers have noticed that this is hot.
    // The sixteen words of state stay in registers; the message is read from the stack as an operand.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Compress(
        ref TVector chaining, ref TVector words, TVector counterLow, TVector counterHigh, uint blockBytes, uint flags)
    {
        TVector s0 = chaining, s1 = Unsafe.Add(ref chaining, 1), s2 = Unsafe.Add(ref chaining, 2), s3 = Unsafe.Add(ref chaining, 3);
        TVector s4 = Unsafe.Add(ref chaining, 4), s5 = Unsafe.Add(ref chaining, 5), s6 = Unsafe.Add(ref chaining, 6), s7 = Unsafe.Add(ref chaining, 7);
        TVector s8 = TLanes.Splat(Blake3.InitialWord0), s9 = TLanes.Splat(Blake3.InitialWord1);
        TVector s10 = TLanes.Splat(Blake3.InitialWord2), s11 = TLanes.Splat(Blake3.InitialWord3);
        TVector s12 = counterLow, s13 = counterHigh, s14 = TLanes.Splat(blockBytes), s15 = TLanes.Splat(flags);

        ref byte order = ref MemoryMarshal.GetReference(Blake3.MessageOrder);
        for (int round = 0; round < Blake3.Rounds; round++)
        {
            // Columns, then diagonals.
            MixFour(
                ref s0, ref s1, ref s2, ref s3, ref s4, ref s5, ref s6, ref s7,
                ref s8, ref s9, ref s10, ref s11, ref s12, ref s13, ref s14, ref s15, ref words, ref order);
            MixFour(
                ref s0, ref s1, ref s2, ref s3, ref s5, ref s6, ref s7, ref s4,
                ref s10, ref s11, ref s8, ref s9, ref s15, ref s12, ref s13, ref s14, ref words, ref Unsafe.Add(ref order, 8));
            order = ref Unsafe.Add(ref order, 16);
        }

        chaining = TLanes.Xor(s0, s8);
        Unsafe.Add(ref chaining, 1) = TLanes.Xor(s1, s9);
        Unsafe.Add(ref chaining, 2) = TLanes.Xor(s2, s10);
        Unsafe.Add(ref chaining, 3) = TLanes.Xor(s3, s11);
        Unsafe.Add(ref chaining, 4) = TLanes.Xor(s4, s12);
        Unsafe.Add(ref chaining, 5) = TLanes.Xor(s5, s13);
        Unsafe.Add(ref chaining, 6) = TLanes.Xor(s6, s14);
        Unsafe.Add(ref chaining, 7) = TLanes.Xor(s7, s15);
    }

    // Four quarter rounds G (a, b, c, d) in step. They do not depend on each other, and one alone is a single chain of
    // fourteen instructions; in step, the processor need not look far ahead to keep its pipes busy.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void MixFour(
        ref TVector a0, ref TVector a1, ref TVector a2, ref TVector a3,
        ref TVector b0, ref TVector b1, ref TVector b2, ref TVector b3,
        ref TVector c0, ref TVector c1, ref TVector c2, ref TVector c3,
        ref TVector d0, ref TVector d1, ref TVector d2, ref TVector d3,
        ref TVector words, ref byte order)
    {
        a0 = TLanes.Add(TLanes.Add(a0, Word(ref words, ref order, 0)), b0);
        a1 = TLanes.Add(TLanes.Add(a1, Word(ref words, ref order, 2)), b1);
        a2 = TLanes.Add(TLanes.Add(a2, Word(ref words, ref order, 4)), b2);
        a3 = TLanes.Add(TLanes.Add(a3, Word(ref words, ref order, 6)), b3);
        d0 = TLanes.RotateRight16(TLanes.Xor(d0, a0));
        d1 = TLanes.RotateRight16(TLanes.Xor(d1, a1));
        d2 = TLanes.RotateRight16(TLanes.Xor(d2, a2));
        d3 = TLanes.RotateRight16(TLanes.Xor(d3, a3));
        c0 = TLanes.Add(c0, d0);
        c1 = TLanes.Add(c1, d1);
        c2 = TLanes.Add(c2, d2);
        c3 = TLanes.Add(c3, d3);
        b0 = TLanes.RotateRight12(TLanes.Xor(b0, c0));
        b1 = TLanes.RotateRight12(TLanes.Xor(b1, c1));
        b2 = TLanes.RotateRight12(TLanes.Xor(b2, c2));
        b3 = TLanes.RotateRight12(TLanes.Xor(b3, c3));
        a0 = TLanes.Add(TLanes.Add(a0, Word(ref words, ref order, 1)), b0);
        a1 = TLanes.Add(TLanes.Add(a1, Word(ref words, ref order, 3)), b1);
        a2 = TLanes.Add(TLanes.Add(a2, Word(ref words, ref order, 5)), b2);
        a3 = TLanes.Add(TLanes.Add(a3, Word(ref words, ref order, 7)), b3);
        d0 = TLanes.RotateRight8(TLanes.Xor(d0, a0));
        d1 = TLanes.RotateRight8(TLanes.Xor(d1, a1));
        d2 = TLanes.RotateRight8(TLanes.Xor(d2, a2));
        d3 = TLanes.RotateRight8(TLanes.Xor(d3, a3));
        c0 = TLanes.Add(c0, d0);
        c1 = TLanes.Add(c1, d1);
        c2 = TLanes.Add(c2, d2);
        c3 = TLanes.Add(c3, d3);
        b0 = TLanes.RotateRight7(TLanes.Xor(b0, c0));
        b1 = TLanes.RotateRight7(TLanes.Xor(b1, c1));
        b2 = TLanes.RotateRight7(TLanes.Xor(b2, c2));
        b3 = TLanes.RotateRight7(TLanes.Xor(b3, c3));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Word(ref TVector words, ref byte order, int place) =>
        Unsafe.Add(ref words, Unsafe.Add(ref order, place));
}
