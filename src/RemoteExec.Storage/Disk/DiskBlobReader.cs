using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Reads from a descriptor straight into the caller's memory. Synchronous on purpose: almost every read comes from
/// the page cache and takes less time than handing it to another thread.
/// </summary>
internal sealed class DiskBlobReader(SafeFileHandle file, Digest digest, long offset) : ISynchronousBlobReader
{
    private long _offset = offset;

    public long RemainingBytes => digest.SizeBytes - _offset;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public int Read(Span<byte> buffer)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;

        int wanted = (int)Math.Min(buffer.Length, RemainingBytes);
        int read = RandomAccess.Read(file, buffer[..wanted], _offset);
        // Retriable, never DATA_LOSS: Bazel gives up on that, and a second try finds a miss and builds the blob again.
        if (read == 0) throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} was cut short on disk");
        _offset += read;
        return read;
    }

    public ValueTask DisposeAsync()
    {
        file.Dispose();
        return ValueTask.CompletedTask;
    }
}
