namespace RemoteExec.Services;

/// <summary>
/// The newest of a log that outgrew what is kept of its beginning: blocks that only ever grow, of which the oldest is given up for the
/// newest. Bytes that are here never change, so that readers take them without a copy.
/// </summary>
internal sealed class LiveWindow
{
    private readonly Queue<Block> _blocks = new();
    private readonly int _blocksMax;
    private readonly int _blockBytes;
    private Block _newest;

    /// <param name="start">Where in the stream it begins.</param>
    /// <param name="bytesMax">Never more, and an eighth less when a block was just given up.</param>
    public LiveWindow(long start, int bytesMax)
    {
        _blocksMax = Math.Clamp(bytesMax, 1, 8);
        _blockBytes = Math.Max(1, bytesMax / _blocksMax);
        _newest = Begin(start);
    }

    /// <summary>Where what is kept begins.</summary>
    public long Start => _blocks.Peek().Start;

    /// <summary>Where it ends.</summary>
    public long End => _newest.Start + _newest.Length;

    /// <param name="offset">The end, or behind it: then nobody knows what was between, and what was before goes.</param>
    public void Append(long offset, ReadOnlySpan<byte> data)
    {
        if (offset > End)
        {
            _blocks.Clear();
            _newest = Begin(offset);
        }

        while (!data.IsEmpty)
        {
            if (_newest.Length == _blockBytes) _newest = Begin(End);
            var piece = data[..Math.Min(data.Length, _blockBytes - _newest.Length)];
            piece.CopyTo(_newest.Bytes.AsSpan(_newest.Length));
            _newest.Length += piece.Length;
            data = data[piece.Length..];
        }
    }

    /// <summary>A piece from there on; empty when there is none.</summary>
    public ReadOnlyMemory<byte> Read(long offset)
    {
        foreach (var block in _blocks)
        {
            if (offset >= block.Start && offset < block.Start + block.Length)
                return block.Bytes.AsMemory((int)(offset - block.Start), block.Length - (int)(offset - block.Start));
        }

        return default;
    }

    private Block Begin(long start)
    {
        if (_blocks.Count == _blocksMax) _blocks.Dequeue();
        var block = new Block(start, new byte[_blockBytes]);
        _blocks.Enqueue(block);
        return block;
    }

    private sealed class Block(long start, byte[] bytes)
    {
        public long Start { get; } = start;

        public byte[] Bytes { get; } = bytes;

        public int Length { get; set; }
    }
}
