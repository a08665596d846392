using System.Buffers;
using Microsoft.AspNetCore.Connections;

namespace RemoteExec.Rpc;

/// <summary>Gives Kestrel <see cref="ConnectionBlocks"/>: one pool for all of its queues, which each dispose of theirs when they end.</summary>
internal sealed class ConnectionMemory(TimeProvider time) : IMemoryPoolFactory<byte>, IDisposable
{
    private readonly ConnectionBlocks _blocks = new(time);

    /// <inheritdoc cref="ConnectionBlocks.LentMost"/>
    public int LentMost => _blocks.LentMost;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Share(_blocks);

    public void Dispose() => _blocks.Dispose();

    private sealed class Share(ConnectionBlocks blocks) : MemoryPool<byte>
    {
        public override int MaxBufferSize => blocks.MaxBufferSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1) => blocks.Rent(minBufferSize);

        protected override void Dispose(bool disposing)
        {
            // The blocks are everybody's.
        }
    }
}
