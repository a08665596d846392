using System.Diagnostics;
using System.Numerics;

namespace RemoteExec.Core;

/// <summary>
/// BLAKE3 of bytes that come in pieces. Complete subtrees wait on a stack for the neighbour that makes them
/// siblings: after n chunks there are as many as n has one-bits, one more while the last two are not merged.
/// </summary>
internal sealed class Blake3DigestHasher(Blake3Vectors vectors) : DigestHasher(DigestFunction.Blake3)
{
    // 2^63 bytes are 2^53 chunks: 53 subtrees of different sizes, and the last of them as two children.
    private const int StackDepthMax = 55;

    private readonly byte[] _stack = new byte[StackDepthMax * Blake3.HashBytes];
    private readonly byte[] _chunk = new byte[Blake3.ChunkBytes];
    private int _depth;
    private int _chunkBytes; // in _chunk; a full chunk stays there until it is known not to be the last
    private ulong _chunks; // before _chunk

    private protected override void AppendCore(ReadOnlySpan<byte> data)
    {
        if (_chunkBytes > 0)
        {
            data = data[FillChunk(data)..];
            if (data.Length == 0) return;

            Span<byte> chainingValue = stackalloc byte[Blake3.HashBytes];
            Blake3Tree.HashChunk(_chunk, _chunks, flags: 0, chainingValue);
            Push(chainingValue, _chunks);
            _chunks++;
            _chunkBytes = 0;
        }

        Span<byte> pair = stackalloc byte[Blake3.BlockBytes];
        while (data.Length > Blake3.ChunkBytes)
        {
            int subtreeChunks = LargestSubtree(data.Length / Blake3.ChunkBytes);
            int subtreeBytes = subtreeChunks * Blake3.ChunkBytes;
            if (subtreeChunks == 1)
            {
                Blake3Tree.HashChunk(data[..subtreeBytes], _chunks, flags: 0, pair[..Blake3.HashBytes]);
                Push(pair[..Blake3.HashBytes], _chunks);
            }
            else
            {
                // As two children: if nothing follows, their parent is the root, which is hashed differently.
                Blake3Tree.HashToPair(vectors, data[..subtreeBytes], _chunks, pair);
                Push(pair[..Blake3.HashBytes], _chunks);
                Push(pair[Blake3.HashBytes..], _chunks + ((ulong)subtreeChunks / 2));
            }

            _chunks += (ulong)subtreeChunks;
            data = data[subtreeBytes..];
        }

        FillChunk(data);
    }

    private protected override void FinishCore(Span<byte> hash)
    {
        FinishTree(hash);
        ResetCore();
    }

    private protected override void ResetCore()
    {
        _depth = 0;
        _chunkBytes = 0;
        _chunks = 0;
    }

    private protected override void DisposeCore()
    {
        // Nothing but arrays.
    }

    private void FinishTree(Span<byte> hash)
    {
        if (_depth == 0)
        {
            Blake3Tree.HashChunk(_chunk.AsSpan(0, _chunkBytes), chunk: 0, Blake3.Root, hash);
            return;
        }

        if (_chunkBytes > 0)
        {
            Blake3Tree.HashChunk(_chunk.AsSpan(0, _chunkBytes), _chunks, flags: 0, hash);
            Push(hash, _chunks);
        }

        // What is left has no neighbours to wait for: from the right, each pair has a parent, and the last one is the root.
        while (_depth > 2) MergeTop();
        Blake3Tree.HashParent(_stack.AsSpan(0, Blake3.BlockBytes), Blake3.Root, hash);
    }

    private int FillChunk(ReadOnlySpan<byte> data)
    {
        int bytes = Math.Min(data.Length, Blake3.ChunkBytes - _chunkBytes);
        data[..bytes].CopyTo(_chunk.AsSpan(_chunkBytes));
        _chunkBytes += bytes;
        return bytes;
    }

    /// <summary>The largest power of two of chunks that the data has and that begins at a multiple of its own size.</summary>
    private int LargestSubtree(int chunks)
    {
        int largest = 1 << BitOperations.Log2((uint)chunks);
        return _chunks == 0 ? largest : (int)Math.Min((ulong)largest, 1UL << BitOperations.TrailingZeroCount(_chunks));
    }

    /// <summary>Adds a subtree that begins at <paramref name="chunk"/>, when the siblings before it have been merged.</summary>
    private void Push(ReadOnlySpan<byte> chainingValue, ulong chunk)
    {
        while (_depth > BitOperations.PopCount(chunk)) MergeTop();
        Debug.Assert(_depth < StackDepthMax);
        chainingValue.CopyTo(_stack.AsSpan(_depth * Blake3.HashBytes));
        _depth++;
    }

    private void MergeTop()
    {
        var pair = _stack.AsSpan((_depth - 2) * Blake3.HashBytes, Blake3.BlockBytes);
        Blake3Tree.HashParent(pair, flags: 0, pair[..Blake3.HashBytes]);
        _depth--;
    }
}
