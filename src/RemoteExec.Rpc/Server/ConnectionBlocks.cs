using System.Buffers;
using System.Collections.Concurrent;

namespace RemoteExec.Rpc;

/// <summary>
/// The memory that bytes of connections come into and go out of. One read of a socket fills one block at most, and each is a system call, a wake-up and a
/// segment in every pipe that it goes through: an upload has sixteen times fewer of them than with Kestrel's own blocks of 4 KiB, and takes half the processor time.
/// </summary>
/// <remarks>
/// A block is held by who has bytes in it, never by a connection or a stream that waits. What was not needed for <see cref="KeptFor"/> goes to the collector.
/// </remarks>
internal sealed class ConnectionBlocks : MemoryPool<byte>
{
    /// <summary>Of one block, in bytes: the largest frame that a client may send (<see cref="TransportLimits"/>).</summary>
    public const int BlockBytes = 64 << 10;

    /// <summary>
    /// So many are lent at once, 128 MiB: uploads of many clients that all have something on its way. Beyond that who asks gets <see cref="SmallBytes"/>, as from
    /// Kestrel's own pool: a peer that sends a byte on each of its streams and stops holds a block for each.
    /// </summary>
    public const int LentMax = 2048;

    /// <summary>Of a block beyond <see cref="LentMax"/>.</summary>
    public const int SmallBytes = 4 << 10;

    /// <summary>How long a block waits to be used again, and at most twice that.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromSeconds(10);

    private readonly ConcurrentQueue<Block> _kept = new();
    private readonly ITimer _trim;
    private int _keptCount;
    private int _leastKept; // since the last look
    private int _lentCount;
    private int _lentMost;
    private volatile bool _isOver;

    public ConnectionBlocks(TimeProvider time) =>
        _trim = time.CreateTimer(static blocks => ((ConnectionBlocks)blocks!).Trim(), this, KeptFor, KeptFor);

    public override int MaxBufferSize => BlockBytes;

    /// <summary>Blocks that wait to be used again.</summary>
    public int KeptCount => Volatile.Read(ref _keptCount);

    /// <summary>So many were lent at once at most.</summary>
    public int LentMost => Volatile.Read(ref _lentMost);

    /// <param name="minBufferSize">At most <see cref="MaxBufferSize"/>; whatever it is, a block is whole. -1 is no wish.</param>
    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
        if (minBufferSize <= SmallBytes && Volatile.Read(ref _lentCount) >= LentMax) return Shared.Rent(SmallBytes);

        int lent = Interlocked.Increment(ref _lentCount);
        if (lent > Volatile.Read(ref _lentMost)) Volatile.Write(ref _lentMost, lent); // a race costs one
        var block = Take() ?? new Block(this);
        block.Lend();
        return block;
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _isOver = true;
        _trim.Dispose();
        while (Take() is not null) { }
    }

    private Block? Take()
    {
        if (!_kept.TryDequeue(out var block)) return null;
        int left = Interlocked.Decrement(ref _keptCount);
        if (left < Volatile.Read(ref _leastKept)) Volatile.Write(ref _leastKept, left); // a race costs a block, or keeps one for longer
        return block;
    }

    private void Keep(Block block)
    {
        Interlocked.Decrement(ref _lentCount);
        if (_isOver) return;
        Interlocked.Increment(ref _keptCount);
        _kept.Enqueue(block);
    }

    /// <summary>Whatever was there all the time since the last look was not needed.</summary>
    private void Trim()
    {
        int spare = Interlocked.Exchange(ref _leastKept, int.MaxValue);
        for (int left = Math.Min(spare, KeptCount); left > 0 && Take() is not null; left--) { }
        Volatile.Write(ref _leastKept, KeptCount);
    }

    private sealed class Block(ConnectionBlocks pool) : IMemoryOwner<byte>
    {
        // Pinned: the kernel reads into it, and it need not be held in place for each time.
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
        private int _isLent;

        public Memory<byte> Memory => Volatile.Read(ref _isLent) != 0 ? _bytes : throw new ObjectDisposedException(nameof(Block));

        public void Lend() => Volatile.Write(ref _isLent, 1);

        public void Dispose()
        {
            // Twice would give it to two.
            if (Interlocked.Exchange(ref _isLent, 0) != 0) pool.Keep(this);
        }
    }
}
