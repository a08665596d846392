using System.Buffers;
using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Makes blobs of files that are on this machine already: outputs of actions.</summary>
internal sealed class FileImporter(DiskBlobStore store)
{
    private const int PieceBytes = 256 << 10;

    /// <summary>Hashes and copies in one pass, so what is stored is what was hashed, whoever writes to the file meanwhile.</summary>
    public async ValueTask<Digest> CopyAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken)
    {
        long sizeBytes = RegularFile(file).SizeBytes;
        if (sizeBytes == 0) return Digest.Empty(function);
        if (store.IsLogged(sizeBytes)) return await LogAsync(function, file, (int)sizeBytes, cancellationToken);

        store.Room.Reserve(sizeBytes);
        SafeFileHandle? copy = null;
        string? tempName = null;
        bool isPublished = false;
        try
        {
            copy = store.Files.CreateTemp(out tempName);
            var digest = Hash(function, file, sizeBytes, copy, cancellationToken);
            await store.FirstUses.CheckAsync(digest, cancellationToken);
            store.Protect(copy);
            bool isFlushed = await store.FlushAheadAsync(copy, sizeBytes);
            var result = await store.Commits.CommitAsync(new PendingCommit(digest, copy, tempName, isFlushed));
            isPublished = result == PublishResult.Published;
            return digest;
        }
        finally
        {
            copy?.Dispose();
            if (!isPublished)
            {
                if (tempName is not null) store.Files.DeleteTemp(tempName);
                store.Index.Release(sizeBytes);
            }
        }
    }

    /// <summary>The same of a small one, which goes to a segment.</summary>
    private async ValueTask<Digest> LogAsync(DigestFunction function, SafeFileHandle file, int sizeBytes, CancellationToken cancellationToken)
    {
        int headBytes = SegmentFormat.HeadBytes(function);
        byte[] record = ArrayPool<byte>.Shared.Rent(headBytes + sizeBytes);
        bool holdsRoom = false;
        try
        {
            Read(file, record.AsSpan(headBytes, sizeBytes));
            var digest = Digest.Of(function, record.AsSpan(headBytes, sizeBytes));
            await store.FirstUses.CheckAsync(digest, cancellationToken);
            if (store.Promises.TryPromise(digest)) return digest;

            store.Room.Reserve(sizeBytes);
            holdsRoom = true;
            SegmentFormat.Seal(record, digest, store.Segments.Mark);
            cancellationToken.ThrowIfCancellationRequested();
            var pending = new PendingRecords([digest], record.AsMemory(0, headBytes + sizeBytes));
            await store.Log.AppendAsync(pending, mayBlock: false);
            if (pending.Results[0] == AddResult.NotAdded) throw pending.FailureOf(0) ?? new UnreachableException("a record without an outcome");

            holdsRoom = false;
            return digest;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(record);
            if (holdsRoom) store.Index.Release(sizeBytes);
        }
    }

    public async ValueTask<Digest> TakeAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken)
    {
        var facts = RegularFile(file);
        if (facts.SizeBytes == 0) return Digest.Empty(function);
        if (!TryOwn(file, ref facts)) return await CopyAsync(function, file, cancellationToken);

        var digest = Hash(function, file, facts.SizeBytes, copy: null, cancellationToken);
        await store.FirstUses.CheckAsync(digest, cancellationToken);
        if (store.Promises.TryPromise(digest)) return digest;

        store.Room.Reserve(digest.SizeBytes);
        var result = PublishResult.AlreadyPresent;
        try
        {
            bool isFlushed = await store.FlushAheadAsync(file, digest.SizeBytes);
            result = await store.Commits.CommitAsync(new PendingCommit(digest, file, TempName: null, isFlushed));
        }
        finally
        {
            if (result != PublishResult.Published) store.Index.Release(digest.SizeBytes);
        }

        return result == PublishResult.CannotLink ? await CopyAsync(function, file, cancellationToken) : digest;
    }

    /// <summary>
    /// Makes the file the server's own and unwritable, if nobody can still have a hand on it. The order matters: first
    /// no new writer can come (owner, mode), then it is checked that none is there.
    /// </summary>
    private bool TryOwn(SafeFileHandle file, ref FileStatus facts)
    {
        if (facts.Links != 1 || facts.Device != store.Files.Device) return false;

        uint user = Posix.EffectiveUser;
        if (facts.User != user && Posix.ChangeOwner(file, user, Posix.EffectiveGroup) != 0) return false;
        // The mode alone does not say who may read: a list that came with the file could shut later actions out.
        if (Posix.RemoveAccessControlList(file) != 0) return false;
        if (Posix.ChangeMode(file, BlobFiles.ExecutableMode) != 0 || Posix.IsOpenForWriting(file)) return false;

        // Only what is true from now on counts: size and links may have changed until here.
        facts = RegularFile(file);
        return facts.Links == 1 && facts.SizeBytes > 0;
    }

    private FileStatus RegularFile(SafeFileHandle file)
    {
        int errno = Posix.Stat(file, out var facts);
        if (errno != 0) throw StorageErrors.FromErrno(errno, "looking at a file", store.Files.Root);
        if (facts.Kind != FileKind.Regular) throw StorageErrors.Create(StatusCode.InvalidArgument, "only a regular file can become a blob");
        return facts;
    }

    private void Read(SafeFileHandle file, Span<byte> data)
    {
        try
        {
            for (int offset = 0; offset < data.Length;)
            {
                int read = RandomAccess.Read(file, data[offset..], offset);
                if (read == 0) throw Shrank();
                offset += read;
            }
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "importing a file", store.Files.Root);
        }
    }

    private static RpcException Shrank() => StorageErrors.Create(StatusCode.Aborted, "the file shrank while it was being read");

    private Digest Hash(DigestFunction function, SafeFileHandle file, long sizeBytes, SafeFileHandle? copy, CancellationToken cancellationToken)
    {
        using var lent = MemoryPool<byte>.Shared.Rent((int)Math.Min(PieceBytes, sizeBytes));
        var piece = lent.Memory.Span;
        using var hasher = DigestHasher.Create(function, sizeBytes);
        try
        {
            // Never past the size that was reserved: a file that still grows is cut there.
            for (long offset = 0; offset < sizeBytes;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                int wanted = (int)Math.Min(piece.Length, sizeBytes - offset);
                int read = RandomAccess.Read(file, piece[..wanted], offset);
                if (read == 0) throw Shrank();

                hasher.Append(piece[..read]);
                if (copy is not null) RandomAccess.Write(copy, piece[..read], offset);
                offset += read;
            }

            return hasher.Finish();
        }
        catch (IOException failed)
        {
            throw store.WriteHealth.Failed(StorageErrors.FromErrno(failed.HResult, "importing a file", store.Files.Root));
        }
    }
}
