using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Reads from a descriptor straight into the caller's memory. Synchronous on purpose: almost every read comes from
/// the page cache and takes less time than handing it to another thread.
/// </summary>
/// <param name="isChecked">Hashes what it reads, from the beginning on; the last piece is given out only when the whole is the blob.</param>
/// <param name="frameBytes">The size of the frame that the file is; 0 when it is the blob.</param>
internal sealed class DiskBlobReader(DiskBlobStore store, SafeFileHandle file, Digest digest, long offset, bool isChecked = false, long frameBytes = 0)
    : ISynchronousBlobReader, IDisposable
{
    private readonly DigestHasher? _hasher = isChecked ? DigestHasher.Create(digest.Function, digest.SizeBytes) : null;
    private long _offset = offset;

    public long RemainingBytes => (frameBytes > 0 ? frameBytes : digest.SizeBytes) - _offset;

    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult(Read(buffer.Span));
    }

    public int Read(Span<byte> buffer)
    {
        if (RemainingBytes == 0 || buffer.IsEmpty) return 0;

        int wanted = (int)Math.Min(buffer.Length, RemainingBytes);
        int read = ReadFile(buffer[..wanted], out string fault);
        // Retriable, never DATA_LOSS: Bazel gives up on that, and a second try finds a miss and builds the blob again.
        if (read == 0) throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} {fault}; it counts as missing from now on");
        _offset += read;
        if (_hasher is not null && !Check(buffer[..read]))
            throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} did not survive a loss of power; it counts as missing from now on");
        return read;
    }

    /// <summary>Whether the disk gives back the first byte that is asked for. If not, the blob is a miss, and nobody has seen anything of it.</summary>
    public bool CanBegin() => RemainingBytes == 0 || ReadFile(stackalloc byte[1], out _) > 0;

    public ValueTask DisposeAsync()
    {
        Dispose();
        return ValueTask.CompletedTask;
    }

    public void Dispose()
    {
        _hasher?.Dispose();
        file.Dispose();
    }

    private bool Check(ReadOnlySpan<byte> piece)
    {
        _hasher!.Append(piece);
        return RemainingBytes > 0 || store.FirstUses.Decide(digest, _hasher.Finish() == digest, file);
    }

    /// <summary>Puts a blob aside that cannot be read: otherwise every try would renew the promise of a bad sector.</summary>
    private int ReadFile(Span<byte> buffer, out string fault)
    {
        try
        {
            fault = "was cut short on disk";
            int read = store.Disk.Read(file, buffer, _offset);
            if (read > 0) return read;
        }
        catch (IOException refused) when (!Errno.IsUnreadable(refused.HResult))
        {
            // Too little memory or too many files are no fault of the blob, which others will read.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
        }
        catch (IOException unreadable)
        {
            fault = $"cannot be read from disk ({Errno.Describe(unreadable.HResult)})";
        }

        if (frameBytes > 0) store.Bad.LoseFrame(digest, frameBytes, file);
        else store.Bad.LoseFile(digest, BlobFileKinds.Executable, file);
        return 0;
    }
}
