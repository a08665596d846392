using System.Buffers;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Gathers the pieces in which data arrives (Kestrel's blocks have 4 KiB) into larger ones, because each costs a system call
/// and the disk store hashes and writes large ones at the same time on two cores.
/// </summary>
internal sealed class GatheredWriter(IBlobWriter inner) : IDisposable
{
    // Large enough that the copy into it is noise beside hashing, small enough to stay in the processor's cache.
    private const int GatherBytes = 512 * 1024;

    private byte[]? _buffer;
    private int _filled;

    /// <summary>Taken and not yet handed over.</summary>
    public int HeldBytes => _filled;

    public async ValueTask AppendAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken)
    {
        while (!data.IsEmpty)
        {
            _buffer ??= ArrayPool<byte>.Shared.Rent(GatherBytes);
            int count = (int)Math.Min(data.Length, GatherBytes - _filled);
            data.Slice(0, count).CopyTo(_buffer.AsSpan(_filled));
            data = data.Slice(count);
            _filled += count;
            if (_filled == GatherBytes) await FlushAsync(cancellationToken);
        }
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_filled == 0) return;

        int count = _filled;
        // Empty even if the append fails: what a store refused once must not come again.
        _filled = 0;
        await inner.AppendAsync(_buffer.AsMemory(0, count), cancellationToken);
    }

    public void Dispose()
    {
        if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = null;
    }
}
