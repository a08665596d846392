using System.Collections.Concurrent;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>
/// Blobs as files of this machine. What is acknowledged survives a loss of power, what is promised is not evicted,
/// and a restart finds the same blobs and the same number of bytes.
/// </summary>
/// <remarks>
/// The walk of an upload: reserve (<see cref="BlobIndex"/>) → temp, hashed and counted (<see cref="DiskBlobWriter"/>)
/// → compare → flush → name without replacing → flush the directory → index → acknowledge (<see cref="GroupCommit"/>).
/// </remarks>
public sealed class DiskBlobStore : ILocalBlobStore, IAsyncDisposable
{
    // Larger files are flushed by themselves before they queue: small ones should not wait for them.
    private const long FlushAheadBytesMin = 1 << 20;

    // As many as there are calls at once on a small machine; one of this size takes a megabyte.
    private const int SetsKeptMax = 4;
    private const int SetKeptMax = 16 * 1024;

    private readonly SteadyTime _time;
    private readonly ConcurrentBag<HashSet<Digest>> _sets = [];
    private readonly FileImporter _importer;
    private readonly FileLinker _linker;
    private readonly Lock _rewriteGate = new();
    private Task _rewriting = Task.CompletedTask;

    private DiskBlobStore(DiskBlobStoreOptions options, SteadyTime time, BlobFiles files, BlobIndex index, UseLog uses, DiskWriteHealth health)
    {
        _time = time;
        Files = files;
        Index = index;
        Uses = uses;
        Disk = options.Disk;
        Observer = options.Observer;
        WriteHealth = health;
        Commits = new GroupCommit(files, index, uses, options.Disk, WriteHealth, Observer, time);
        _importer = new FileImporter(this);
        _linker = new FileLinker(this);
    }

    public BlobStoreUsage Usage
    {
        get
        {
            var usage = Index.Usage(Commits.IsSuspect, _time.GetUtcNow());
            return usage with { OldestUse = usage.OldestUse + _time.WallAhead }; // for people, who have a wall clock
        }
    }

    internal IDisk Disk { get; }

    internal BlobFiles Files { get; }

    internal BlobIndex Index { get; }

    internal UseLog Uses { get; }

    internal GroupCommit Commits { get; }

    internal DiskWriteHealth WriteHealth { get; }

    internal IBlobStoreObserver Observer { get; }

    /// <summary>Takes the directory for this process and finds what is there.</summary>
    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static async Task<DiskBlobStore> OpenAsync(
        DiskBlobStoreOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var files = BlobFiles.Open(options.Directory, options.Disk);
        try
        {
            var history = UseRecords.Read(files.UseLogPath, options.Disk);
            var time = history.Continue(clock);
            var health = new DiskWriteHealth(options.WriteFaultChanged, time);
            var found = await files.ScanAsync(keepVariants: history.Ending != UseLogEnding.Unknown, cancellationToken);

            var uses = UseLog.Open(
                files.UseLogPath, history, options.Disk, time,
                refused: failure => health.Failed(StorageErrors.FromErrno(failure.HResult, "recording a use", files.Root)));
            var index = new BlobIndex(options.LimitBytes, options.Retention, options.UseGranularity, uses);
            RestoredUses.Put(index, found, history, options.UseGranularity, time.GetUtcNow());
            // On a full disk the old log goes on: a restart is no reason to refuse reads.
            _ = uses.TryRewrite(index);
            return new DiskBlobStore(options, time, files, index, uses, health);
        }
        catch (IOException failed)
        {
            files.Dispose();
            throw new StorageDirectoryException($"The data directory {files.Root} cannot be read: {failed.Message}", failed);
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        Observer.Asked(digests.Count);
        var missing = new List<Digest>();
        PromiseMany(digests, missing, cancellationToken);
        return ValueTask.FromResult<IReadOnlyList<Digest>>(OnceEach(missing));
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return ValueTask.FromResult<IBlobReader?>(new MemoryBlobReader(default));

        var reader = TryBegin(digest, offset);
        Observer.Opened(reader is null ? null : digest.SizeBytes);
        return ValueTask.FromResult<IBlobReader?>(reader);
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest.IsEmpty || TryPromise(digest)) return ValueTask.FromResult<IBlobWriter>(new PresentBlobWriter(digest));

        return ValueTask.FromResult<IBlobWriter>(new DiskBlobWriter(this, digest).Begin());
    }

    public ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken) =>
        ValueTask.FromResult(_linker.Link(links, cancellationToken));

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        _importer.CopyAsync(function, file, cancellationToken);

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        _importer.TakeAsync(function, file, cancellationToken);

    public void PutAside(Digest digest) => Quarantine(digest);

    /// <summary>How long ago a blob was used last, over restarts; to ask is no use of it. Null is a miss.</summary>
    public TimeSpan? UnusedFor(Digest digest) => Index.LastUse(digest) is { } use ? _time.GetUtcNow() - use : null;

    /// <summary>Lets commits end, writes the order of use down and gives the directory back.</summary>
    public async ValueTask DisposeAsync()
    {
        await Commits.DrainAsync();
        await _rewriting;
        Uses.Close(Index);
        Uses.Dispose();
        Files.Dispose();
    }

    /// <summary>Whether the blob is here; if so it is promised from now on, and that survives a kill.</summary>
    internal bool TryPromise(in Digest digest)
    {
        if (!Index.Touch(digest, _time.GetUtcNow())) return false;
        RememberUses();
        return true;
    }

    /// <summary>The same for many; between two slices of them others may have the index.</summary>
    internal void PromiseMany(IReadOnlyList<Digest> digests, ICollection<Digest> missing, CancellationToken cancellationToken)
    {
        for (int start = 0; start < digests.Count; start += BlobIndex.EntriesPerHold)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Index.TouchMany(digests, start, Math.Min(BlobIndex.EntriesPerHold, digests.Count - start), _time.GetUtcNow(), missing);
        }

        RememberUses();
    }

    /// <summary>Clients hardly ever ask for the same blob twice in a call; to see that they did not, a set is lent.</summary>
    private List<Digest> OnceEach(List<Digest> digests)
    {
        if (digests.Count < 2) return digests;

        if (!_sets.TryTake(out var set)) set = [];
        bool isOnceEach = true;
        foreach (var digest in digests) isOnceEach &= set.Add(digest);
        set.Clear();
        if (digests.Count <= SetKeptMax && _sets.Count < SetsKeptMax) _sets.Add(set);
        return isOnceEach ? digests : [.. digests.Distinct()];
    }

    internal void RememberUses()
    {
        Uses.Flush();
        if (!Uses.WantsRewrite) return;

        // Not on the way of whoever asked for a blob.
        lock (_rewriteGate)
        {
            if (_rewriting.IsCompleted) _rewriting = Task.Run(() => Uses.TryRewrite(Index));
        }
    }

    /// <summary>Opens a blob that the index knows, its size checked; null is a miss.</summary>
    internal SafeFileHandle? TryOpen(in Digest digest)
    {
        if (!TryPromise(digest)) return null;

        var file = Files.TryOpen(digest);
        if (file is not null && RandomAccess.GetLength(file) == digest.SizeBytes) return file;

        file?.Dispose();
        Quarantine(digest);
        return null;
    }

    private DiskBlobReader? TryBegin(in Digest digest, long offset)
    {
        if (TryOpen(digest) is not { } file) return null;

        var reader = new DiskBlobReader(this, file, digest, offset);
        bool canBegin = false;
        try
        {
            canBegin = reader.CanBegin();
            return canBegin ? reader : null;
        }
        finally
        {
            if (!canBegin) file.Dispose();
        }
    }

    /// <summary>A blob that is not what its name says, or cannot be read, becomes a miss: whoever needs it makes it again.</summary>
    internal void Quarantine(in Digest digest)
    {
        // Not there any more may also mean evicted a moment ago.
        if (Index.Remove(digest, Files.Quarantine)) Observer.Corrupted();
    }

    /// <summary>Refuses a blob that would not fit into an empty store.</summary>
    internal void CheckFits(long bytes)
    {
        if (bytes > Index.LimitBytes) throw StorageErrors.NoRoom(Reservation.NeverFits, bytes, Index.LimitBytes, Index.Retention);
    }

    internal void Reserve(long bytes)
    {
        var reservation = ReserveOrRefuse(bytes);
        if (reservation.Result == ReservationResult.Granted) return;

        Observer.Refused();
        throw StorageErrors.NoRoom(reservation, bytes, Index.LimitBytes, Index.Retention);
    }

    /// <summary>For what is only a convenience: no room is no failure.</summary>
    internal bool TryReserve(long bytes) => ReserveOrRefuse(bytes).Result == ReservationResult.Granted;

    /// <summary>Gives a variant its name and spends its reservation; false if somebody was faster or the blob is gone.</summary>
    internal bool TryPublishVariant(string tempName, in Digest digest)
    {
        lock (Index.Gate)
        {
            if (Files.PublishTemp(tempName, digest, isVariant: true) != 0) return false;
            if (Index.AddFile(digest, BlobFileKinds.Data, digest.SizeBytes)) return true;

            Files.Unpublish(digest, isVariant: true);
            return false;
        }
    }

    private Reservation ReserveOrRefuse(long bytes)
    {
        var hidden = new List<string>();
        long evictedBytes = 0;
        try
        {
            return Index.Reserve(bytes, _time.GetUtcNow(), Evict, DeleteHidden);
        }
        finally
        {
            DeleteHidden();
            if (evictedBytes > 0) Observer.Evicted(evictedBytes);
        }

        void Evict(StoredBlob blob)
        {
            Files.Hide(blob, hidden);
            evictedBytes += blob.AccountedBytes;
        }

        // Freeing the blocks of a large file takes a while, so it happens without the lock.
        void DeleteHidden()
        {
            foreach (string name in hidden) Files.DeleteTemp(name);
            hidden.Clear();
        }
    }

    /// <summary>Takes the write bits away: what has a blob's name is never opened for writing again.</summary>
    internal void Protect(SafeFileHandle file)
    {
        int errno = Posix.ChangeMode(file, BlobFiles.ExecutableMode);
        if (errno != 0) throw StorageErrors.FromErrno(errno, "protecting a blob", Files.Root);
    }

    /// <summary>Flushes a large file off the group's path; false for a small one, which the group flushes with others.</summary>
    internal async ValueTask<bool> FlushAheadAsync(SafeFileHandle file, long sizeBytes)
    {
        if (sizeBytes < FlushAheadBytesMin) return false;
        await Task.Run(() => Commits.FlushFile(file));
        return true;
    }
}
