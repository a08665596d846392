using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace RemoteExec.Core;

/// <summary>
/// BLAKE3's tree (specification, section 2.1): chunks of 1 KiB are the leaves; a left subtree is complete and at least as
/// large as the right one. Many leaves, and then many parents, are hashed at once.
/// </summary>
[SkipLocalsInit]
internal static class Blake3Tree
{
    // Leaves whose chaining values are reduced layer by layer: their 8 KiB stay in the first-level cache, and of 256 + 255
    // compressions of the last blocks only the topmost few run with less than full vectors.
    private const int BatchChunks = 256;

    /// <summary>The widest vectors that this processor has.</summary>
    public static Blake3Vectors Widest { get; } =
        Avx512F.IsSupported && Avx2.IsSupported ? Blake3Vectors.Sixteen
        : Avx2.IsSupported ? Blake3Vectors.Eight
        : Vector128.IsHardwareAccelerated ? Blake3Vectors.Four
        : Blake3Vectors.None;

    /// <summary>The hash of data that is all there.</summary>
    public static void Hash(Blake3Vectors vectors, ReadOnlySpan<byte> data, Span<byte> hash)
    {
        if (data.Length <= Blake3.ChunkBytes)
        {
            HashChunk(data, chunk: 0, Blake3.Root, hash);
            return;
        }

        Span<byte> pair = stackalloc byte[Blake3.BlockBytes];
        HashToPair(vectors, data, firstChunk: 0, pair);
        HashParent(pair, Blake3.Root, hash);
    }

    /// <summary>
    /// The chaining values of the two children of a subtree's top, so that the caller may still decide whether that top is the
    /// root. The data is more than one chunk; if it is not the end of the input, a power of two of them.
    /// </summary>
    public static void HashToPair(Blake3Vectors vectors, ReadOnlySpan<byte> data, ulong firstChunk, Span<byte> pair)
    {
        if (data.Length > BatchChunks * Blake3.ChunkBytes)
        {
            int leftBytes = (int)(BitOperations.RoundUpToPowerOf2((uint)data.Length) / 2);
            HashSubtree(vectors, data[..leftBytes], firstChunk, pair[..Blake3.HashBytes]);
            HashSubtree(vectors, data[leftBytes..], firstChunk + (ulong)(leftBytes / Blake3.ChunkBytes), pair[Blake3.HashBytes..]);
            return;
        }

        Span<byte> layer = stackalloc byte[BatchChunks * Blake3.HashBytes];
        int count = HashLeaves(vectors, data, firstChunk, layer);
        while (count > 2) count = HashLayer(vectors, layer, count);
        layer[..Blake3.BlockBytes].CopyTo(pair);
    }

    /// <summary>The chaining value of a parent from its children's.</summary>
    public static void HashParent(ReadOnlySpan<byte> pair, uint flags, Span<byte> chainingValue) =>
        Blake3Kernel<uint, Blake3Lanes1>.HashInputs(
            pair, counter: 0, counterStep: 0, blocks: 1, Blake3.BlockBytes, Blake3.Parent | flags, 0, 0, chainingValue);

    /// <summary>The chaining value of one chunk, which may be short or empty.</summary>
    public static void HashChunk(ReadOnlySpan<byte> data, ulong chunk, uint flags, Span<byte> chainingValue)
    {
        // An empty input still has one block, of no bytes.
        int blocks = Math.Max(1, (data.Length + Blake3.BlockBytes - 1) / Blake3.BlockBytes);
        int lastBlockBytes = data.Length - ((blocks - 1) * Blake3.BlockBytes);

        Span<byte> padded = stackalloc byte[Blake3.ChunkBytes];
        padded = padded[..(blocks * Blake3.BlockBytes)];
        data.CopyTo(padded);
        padded[data.Length..].Clear();
        Blake3Kernel<uint, Blake3Lanes1>.HashInputs(
            padded, chunk, counterStep: 0, blocks, lastBlockBytes,
            flags: 0, Blake3.ChunkStart, Blake3.ChunkEnd | flags, chainingValue);
    }

    private static void HashSubtree(Blake3Vectors vectors, ReadOnlySpan<byte> data, ulong firstChunk, Span<byte> chainingValue)
    {
        if (data.Length <= Blake3.ChunkBytes)
        {
            HashChunk(data, firstChunk, flags: 0, chainingValue);
            return;
        }

        Span<byte> pair = stackalloc byte[Blake3.BlockBytes];
        HashToPair(vectors, data, firstChunk, pair);
        HashParent(pair, flags: 0, chainingValue);
    }

    private static int HashLeaves(Blake3Vectors vectors, ReadOnlySpan<byte> data, ulong firstChunk, Span<byte> layer)
    {
        int complete = data.Length / Blake3.ChunkBytes;
        int done = 0;
        while (done < complete)
        {
            var chunks = data[(done * Blake3.ChunkBytes)..];
            var chainingValues = layer[(done * Blake3.HashBytes)..];
            ulong chunk = firstChunk + (ulong)done;
            int count = LanesFor(vectors, complete - done);
            switch (count)
            {
                case 16: Blake3Kernel<Vector512<uint>, Blake3Lanes16>.HashChunks(chunks, chunk, chainingValues); break;
                case 8: Blake3Kernel<Vector256<uint>, Blake3Lanes8>.HashChunks(chunks, chunk, chainingValues); break;
                case 4: Blake3Kernel<Vector128<uint>, Blake3Lanes4>.HashChunks(chunks, chunk, chainingValues); break;
                default: Blake3Kernel<uint, Blake3Lanes1>.HashChunks(chunks, chunk, chainingValues); break;
            }

            done += count;
        }

        var rest = data[(complete * Blake3.ChunkBytes)..];
        if (rest.Length == 0) return complete;

        HashChunk(rest, firstChunk + (ulong)complete, flags: 0, layer[(complete * Blake3.HashBytes)..]);
        return complete + 1;
    }

    /// <summary>
    /// Replaces a layer by the one above it. One without a neighbour goes up as it is: that is how the tree
    /// comes to have its complete subtrees on the left.
    /// </summary>
    private static int HashLayer(Blake3Vectors vectors, Span<byte> layer, int count)
    {
        int parents = count / 2;
        int done = 0;
        while (done < parents)
        {
            // In place: a parent is written where its left cousins were, which have been read.
            var pairs = layer[(done * Blake3.BlockBytes)..];
            var chainingValues = layer[(done * Blake3.HashBytes)..];
            int lanes = LanesFor(vectors, parents - done);
            switch (lanes)
            {
                case 16: Blake3Kernel<Vector512<uint>, Blake3Lanes16>.HashParents(pairs, chainingValues); break;
                case 8: Blake3Kernel<Vector256<uint>, Blake3Lanes8>.HashParents(pairs, chainingValues); break;
                case 4: Blake3Kernel<Vector128<uint>, Blake3Lanes4>.HashParents(pairs, chainingValues); break;
                default: Blake3Kernel<uint, Blake3Lanes1>.HashParents(pairs, chainingValues); break;
            }

            done += lanes;
        }

        if (count % 2 == 0) return parents;

        layer.Slice((count - 1) * Blake3.HashBytes, Blake3.HashBytes).CopyTo(layer[(parents * Blake3.HashBytes)..]);
        return parents + 1;
    }

    private static int LanesFor(Blake3Vectors vectors, int inputs) =>
        vectors >= Blake3Vectors.Sixteen && inputs >= 16 ? 16
        : vectors >= Blake3Vectors.Eight && inputs >= 8 ? 8
        : vectors >= Blake3Vectors.Four && inputs >= 4 ? 4
        : 1;
}
