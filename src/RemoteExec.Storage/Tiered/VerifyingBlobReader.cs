using System.Buffers;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Reads a blob from a store that is not believed. The last bytes are given out only when all of them are what the digest says.</summary>
internal sealed class VerifyingBlobReader(Digest digest, IBlobReader inner) : IBlobReader
{
    private const int SkipBytes = 64 << 10;

    private readonly DigestHasher _hasher = DigestHasher.Create(digest.Function, digest.SizeBytes);
    private bool _isChecked;

    public long RemainingBytes => inner.RemainingBytes;

    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (buffer.IsEmpty) return 0;

        int read = await inner.ReadAsync(buffer, cancellationToken);
        _hasher.Append(buffer.Span[..read]);
        if (_isChecked || (read > 0 && inner.RemainingBytes > 0)) return read;

        _isChecked = true;
        return _hasher.Finish() == digest
            ? read
            : throw StorageErrors.Create(StatusCode.Unavailable, $"what the store behind has as blob {digest} is something else");
    }

    public async ValueTask SkipAsync(long bytes, CancellationToken cancellationToken)
    {
        using var lent = MemoryPool<byte>.Shared.Rent(SkipBytes);
        for (int read; bytes > 0; bytes -= read)
        {
            read = await ReadAsync(lent.Memory[..(int)Math.Min(lent.Memory.Length, bytes)], cancellationToken);
            if (read == 0) throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} ended early");
        }
    }

    public ValueTask DisposeAsync()
    {
        _hasher.Dispose();
        return inner.DisposeAsync();
    }
}
