using System.Buffers;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Gathers the bytes of one blob as they come, and cuts them where their content says.</summary>
/// <param name="chunkFunction">What the chunks are named by: as their blob is.</param>
/// <param name="gatherBytes">Beside one window, so that several chunks are cut, and can be stored, together.</param>
internal sealed class BlobCutter(IChunker chunker, DigestFunction chunkFunction, long blobBytes, int gatherBytes) : IDisposable
{
    private readonly IMemoryOwner<byte> _lent = MemoryPool<byte>.Shared.Rent((int)Math.Min(blobBytes, chunker.WindowBytesMax + gatherBytes));
    private readonly List<Digest> _chunks = [];
    private int _filled;
    private int _cut;

    /// <summary>Where the next bytes go.</summary>
    public Memory<byte> Free => _lent.Memory[_filled..];

    /// <summary>What came and was not dropped.</summary>
    public ReadOnlyMemory<byte> Held => _lent.Memory[.._filled];

    /// <summary>All that were cut.</summary>
    public IReadOnlyList<Digest> Chunks => _chunks;

    /// <summary>So many bytes were put where <see cref="Free"/> begins.</summary>
    public void Filled(int bytes) => _filled += bytes;

    /// <summary>The chunks that are whole by now; their bytes are good until <see cref="Drop"/>.</summary>
    /// <param name="isLast">No bytes will follow.</param>
    public List<(Digest Digest, ReadOnlyMemory<byte> Data)> Cut(bool isLast)
    {
        var cut = new List<(Digest Digest, ReadOnlyMemory<byte> Data)>();
        while (chunker.Next(_lent.Memory.Span[_cut.._filled], isLast) is var bytes and > 0)
        {
            var piece = _lent.Memory.Slice(_cut, bytes);
            cut.Add((Digest.Of(chunkFunction, piece.Span), piece));
            _cut += bytes;
        }

        _chunks.AddRange(cut.Select(chunk => chunk.Digest));
        return cut;
    }

    /// <summary>Makes room: what was cut is not needed any more.</summary>
    public void Drop()
    {
        _lent.Memory[_cut.._filled].CopyTo(_lent.Memory);
        _filled -= _cut;
        _cut = 0;
    }

    public void Dispose() => _lent.Dispose();
}
