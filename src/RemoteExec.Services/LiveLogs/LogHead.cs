using System.Diagnostics;

namespace RemoteExec.Services;

/// <summary>
/// The beginning of a log, in blocks: it grows without copying what it has, and who is slow to take a piece keeps a block and not the log.
/// <code>
/// | 64 KiB | 64 KiB | … | the last: less only where the bound ends it, or where it is the only one |
/// </code>
/// Bytes that are here never change, so that readers take them without a copy.
/// </summary>
internal sealed class LogHead
{
    public const int BlockBytes = 64 << 10;

    private readonly List<byte[]> _blocks = [];

    public int LengthBytes { get; private set; }

    public int CapacityBytes { get; private set; }

    /// <summary>What <see cref="CapacityBytes"/> becomes when so much more is taken.</summary>
    public int CapacityWith(int bytes, int bytesMax)
    {
        int needed = LengthBytes + bytes;
        if (needed <= CapacityBytes) return CapacityBytes;

        // Whole blocks. In the first one doubling, since pieces are small; the first piece as it is, since most logs have one.
        long capacity = needed > BlockBytes
            ? ((long)needed + BlockBytes - 1) / BlockBytes * BlockBytes
            : Math.Min(Math.Max(needed, 2 * CapacityBytes), BlockBytes);
        return (int)Math.Min(capacity, bytesMax);
    }

    public void Append(ReadOnlySpan<byte> data, int capacityBytes)
    {
        Debug.Assert(LengthBytes + data.Length <= capacityBytes, "the room was asked for");
        Grow(capacityBytes);
        while (!data.IsEmpty)
        {
            var room = _blocks[LengthBytes / BlockBytes].AsSpan(LengthBytes % BlockBytes);
            var piece = data[..Math.Min(data.Length, room.Length)];
            piece.CopyTo(room);
            LengthBytes += piece.Length;
            data = data[piece.Length..];
        }
    }

    /// <summary>From there to the end of its block; empty behind the end.</summary>
    public ReadOnlyMemory<byte> Read(long offset)
    {
        if (offset >= LengthBytes) return default;

        int at = (int)(offset % BlockBytes);
        byte[] block = _blocks[(int)(offset / BlockBytes)];
        return block.AsMemory(at, (int)Math.Min(block.Length - at, LengthBytes - offset));
    }

    /// <summary>All of it in one piece.</summary>
    public ReadOnlyMemory<byte> Whole()
    {
        if (LengthBytes <= BlockBytes) return Read(0);

        byte[] whole = new byte[LengthBytes];
        for (int at = 0; at < LengthBytes;)
        {
            var piece = Read(at);
            piece.CopyTo(whole.AsMemory(at));
            at += piece.Length;
        }

        return whole;
    }

    /// <summary>Gives the memory back; how long it was stays known.</summary>
    public void Drop()
    {
        _blocks.Clear();
        CapacityBytes = 0;
    }

    private void Grow(int capacityBytes)
    {
        while (CapacityBytes < capacityBytes)
        {
            int begun = CapacityBytes % BlockBytes; // of the last block
            int more = Math.Min(BlockBytes - begun, capacityBytes - CapacityBytes);
            byte[] block = new byte[begun + more];
            // A new array rather than the old one changed: readers hold on to it.
            if (begun > 0) _blocks[^1].CopyTo(block, 0);
            if (begun > 0) _blocks[^1] = block;
            else _blocks.Add(block);
            CapacityBytes += more;
        }
    }
}
