using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Reads a blob that has a file that is a zstd frame. Behind an offset it begins at the beginning, too: a frame has no other.</summary>
/// <param name="plain">The same without compression, if that is there.</param>
internal sealed class FrameBlobReader(DiskBlobStore store, SafeFileHandle file, Digest digest, long frameBytes, DiskBlobReader? plain = null)
    : ISynchronousBlobReader, IStoredFrame, IDisposable
{
    private const int SkipBytes = 64 << 10;

    private FrameFile? _frame;
    private long _remainingBytes = digest.SizeBytes;

    public long RemainingBytes => plain?.RemainingBytes ?? _remainingBytes;

    /// <summary>There is no other file of the blob.</summary>
    public bool IsAlone => plain is null;

    public ISynchronousBlobReader? Frame => RemainingBytes < digest.SizeBytes ? null : OfFrame();

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public int Read(Span<byte> buffer) => plain?.Read(buffer) ?? TryRead(buffer)
        ?? throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} cannot be read from disk; it counts as missing from now on");

    /// <summary>Whether the disk gives back how it begins. If not, the blob is a miss, and nobody has seen anything of it.</summary>
    public bool CanBegin() => (plain ?? OfFrame()).CanBegin();

    /// <summary>Goes on to the offset. False when the disk does not give back so much: then the blob is a miss.</summary>
    public bool TrySkip(long bytes, CancellationToken cancellationToken)
    {
        byte[] skipped = new byte[(int)Math.Min(SkipBytes, bytes)];
        for (long left = bytes; left > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (TryRead(skipped.AsSpan(0, (int)Math.Min(skipped.Length, left))) is not { } read) return false;
            left -= read;
        }

        return true;
    }

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        plain?.Dispose();
        _frame?.Dispose();
        file.Dispose();
    }

    private DiskBlobReader OfFrame() => new(store, file, digest, offset: 0, frameBytes: frameBytes);

    private int? TryRead(Span<byte> buffer)
    {
        try
        {
            _frame ??= new FrameFile(file, digest, frameBytes, store.Disk);
            int? read = _frame.Read(buffer);
            _remainingBytes -= read ?? 0;
            if (read is null) store.Bad.LoseFrame(digest, frameBytes, file);
            return read;
        }
        catch (IOException refused)
        {
            // Too little memory or too many files are no fault of the blob, which others will read.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
        }
    }
}
