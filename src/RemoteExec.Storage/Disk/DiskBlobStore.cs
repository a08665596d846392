using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>
/// Blobs as files of this machine. What is acknowledged survives a loss of power, what is promised is not evicted,
/// and a restart finds the same blobs and the same number of bytes.
/// </summary>
/// <remarks>
/// The walk of an upload: reserve (<see cref="BlobIndex"/>) → temp, hashed and counted (<see cref="DiskBlobWriter"/>)
/// → compare → flush → name without replacing → flush the directory → index → acknowledge (<see cref="GroupCommit"/>).
/// Of a small one: reserve → memory (<see cref="LoggedBlobWriter"/>) → compare → append to a segment → flush → index → acknowledge
/// (<see cref="SegmentLog"/>).
/// </remarks>
public sealed class DiskBlobStore : ILocalBlobStore, IAsyncDisposable
{
    // Larger files are flushed by themselves before they queue: small ones should not wait for them.
    private const long FlushAheadBytesMin = 1 << 20;

    // Of small uploads under way; beyond it they go the way of large ones.
    private const long GatheredBytesMax = 64 << 20;

    // A file system that is slower in making files than we are in taking blobs: these go the way of large ones until it has caught up.
    private const long FilelessBytesMax = 256 << 20;

    // A blob that is moved between being looked up and read is looked up again; nobody moves one that often.
    private const int LookupsMax = 8;

    // As many as there are calls at once on a small machine; one of this size takes a megabyte.
    private const int SetsKeptMax = 4;
    private const int SetKeptMax = 16 * 1024;

    private readonly SteadyTime _time;
    private readonly ConcurrentBag<HashSet<Digest>> _sets = [];
    private readonly FileImporter _importer;
    private readonly FileLinker _linker;
    private readonly Lock _rewriteGate = new();
    private readonly DiskBlobStoreOptions _options;
    private readonly SegmentLog _survivors;
    private readonly SegmentKeeper _keeper;
    private Task _rewriting = Task.CompletedTask;
    private long _gatheredBytes;

    private DiskBlobStore(
        DiskBlobStoreOptions options, SteadyTime time, BlobFiles files, SegmentSet segments, BlobIndex index, UseLog uses, DiskWriteHealth health)
    {
        _options = options;
        _time = time;
        Files = files;
        Segments = segments;
        Index = index;
        Uses = uses;
        Disk = options.Disk;
        Observer = options.Observer;
        WriteHealth = health;
        Commits = new GroupCommit(files, index, uses, options.Disk, WriteHealth, Observer, time);
        Log = NewLog(options);
        _survivors = NewLog(options);
        _keeper = new SegmentKeeper(this, segments, _survivors);
        Log.Advanced = _survivors.Advanced = _keeper.Wake;
        _importer = new FileImporter(this);
        _linker = new FileLinker(this);
        ContinueSegments();
    }

    public BlobStoreUsage Usage
    {
        get
        {
            var usage = Index.Usage(IsSuspect, _time.GetUtcNow());
            return usage with { OldestUse = usage.OldestUse + _time.WallAhead }; // for people, who have a wall clock
        }
    }

    internal IDisk Disk { get; }

    internal BlobFiles Files { get; }

    internal SegmentSet Segments { get; }

    /// <summary>Where new small blobs go.</summary>
    internal SegmentLog Log { get; }

    /// <summary>For tests: what happens behind everybody's back.</summary>
    internal SegmentKeeper Keeper => _keeper;

    internal BlobIndex Index { get; }

    internal UseLog Uses { get; }

    internal GroupCommit Commits { get; }

    internal BulkThreads Bulk { get; } = new();

    internal DiskWriteHealth WriteHealth { get; }

    internal IBlobStoreObserver Observer { get; }

    private bool IsSuspect => Commits.IsSuspect || Log.IsSuspect || _survivors.IsSuspect || _keeper.IsSuspect;

    /// <summary>Takes the directory for this process and finds what is there.</summary>
    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static async Task<DiskBlobStore> OpenAsync(
        DiskBlobStoreOptions options, TimeProvider clock, CancellationToken cancellationToken)
    {
        var files = BlobFiles.Open(options.Directory, options.Disk);
        SegmentSet? segments = null;
        try
        {
            var index = new BlobIndex(options.LimitBytes, options.Retention, options.UseGranularity);
            var restart = index.Restart();
            var history = UseRecords.Read(files.UseLogPath, options.Disk, restart);
            var time = history.Continue(clock);
            var health = new DiskWriteHealth(options.WriteFaultChanged, time);
            bool areFilesSure = history.Ending != UseLogEnding.Unknown;
            segments = SegmentSet.Open(files.SegmentsPath, options.Disk, out var inSegments);
            var inFiles = await files.ScanAsync(isVouchedFor: areFilesSure ? restart.Remembers : null, cancellationToken);
            var found = new SegmentRestart(segments, files, options.PackedBytesMax).Merge(inSegments, inFiles, areFilesSure);

            var uses = UseLog.Open(
                files.UseLogPath, history, options.Disk, time,
                refused: failure => health.Failed(StorageErrors.FromErrno(failure.HResult, "recording a use", files.Root)));
            restart.Put(CollectionsMarshal.AsSpan(found));
            restart.Finish(history, options.Retention, options.UseGranularity, time.GetUtcNow());
            index.RecordTo(uses);
            // On a full disk the old log goes on: a restart is no reason to refuse reads.
            _ = uses.TryRewrite(index);
            return new DiskBlobStore(options, time, files, segments, index, uses, health);
        }
        catch (IOException failed)
        {
            segments?.Dispose();
            files.Dispose();
            throw new StorageDirectoryException($"The data directory {files.Root} cannot be read: {failed.Message}", failed);
        }
        catch
        {
            segments?.Dispose();
            files.Dispose();
            throw;
        }
    }

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        FindMissing(digests, PromiseKind.Use, cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingOfHitAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        FindMissing(digests, PromiseKind.Hit, cancellationToken);

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

        return ValueTask.FromResult<IBlobWriter>(IsLogged(digest.SizeBytes) && TryGather(digest.SizeBytes)
            ? new LoggedBlobWriter(this, digest).Begin()
            : new DiskBlobWriter(this, digest).Begin());
    }

    public ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return new PackedBatch(this, blobs).WriteAsync(cancellationToken);
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        new BatchReader(this, digests, receiver).Read(cancellationToken);
        return ValueTask.CompletedTask;
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
        await Log.DrainAsync();
        await _keeper.StopAsync();
        await _survivors.DrainAsync();
        Bulk.Dispose();
        await _rewriting;
        Segments.NoteDead();
        Uses.Close(Index);
        Uses.Dispose();
        Segments.Dispose();
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
    internal void PromiseMany(
        IReadOnlyList<Digest> digests, ICollection<Digest> missing, CancellationToken cancellationToken, PromiseKind kind = PromiseKind.Use)
    {
        for (int start = 0; start < digests.Count; start += BlobIndex.EntriesPerHold)
        {
            cancellationToken.ThrowIfCancellationRequested();
            Index.TouchMany(digests, start, Math.Min(BlobIndex.EntriesPerHold, digests.Count - start), _time.GetUtcNow(), missing, kind);
        }

        RememberUses();
    }

    private ValueTask<IReadOnlyList<Digest>> FindMissing(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken)
    {
        Observer.Asked(digests.Count);
        var missing = new List<Digest>();
        PromiseMany(digests, missing, cancellationToken, kind);
        return ValueTask.FromResult<IReadOnlyList<Digest>>(OnceEach(missing));
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

    /// <summary>Whether a blob goes to a segment first: not where it would stay for good and take its room twice.</summary>
    internal bool IsLogged(long sizeBytes) =>
        sizeBytes <= _options.PackedBytesMax
        || (sizeBytes <= _options.LoggedBytesMax && !_keeper.IsSuspect && Segments.FilelessBytes < FilelessBytesMax);

    /// <summary>Room in memory for an upload; <see cref="Gathered"/> gives it back.</summary>
    internal bool TryGather(long bytes)
    {
        if (Interlocked.Add(ref _gatheredBytes, bytes) <= GatheredBytesMax) return true;

        Gathered(bytes);
        return false;
    }

    internal void Gathered(long bytes) => Interlocked.Add(ref _gatheredBytes, -bytes);

    /// <summary>Promises a blob, and says where it is.</summary>
    internal bool TryUse(in Digest digest, out StoredBlob blob)
    {
        if (!Index.TryUse(digest, _time.GetUtcNow(), out blob)) return false;
        RememberUses();
        return true;
    }

    /// <summary>The same for many; <see cref="RememberUses"/> is the caller's.</summary>
    internal void UseMany(ReadOnlySpan<Digest> digests, Span<StoredBlob?> found) => Index.UseMany(digests, _time.GetUtcNow(), found);

    /// <summary>Whether the blob is at this place still.</summary>
    internal bool IsAt(in Digest digest, BlobPlace place) => Index.TryMove(digest, place, place);

    /// <summary>
    /// Finds a blob that the index knows and promises it: its bytes, when it is in a segment, else its file, the size checked. False is a miss.
    /// </summary>
    internal bool TryOpen(in Digest digest, out byte[]? data, out SafeFileHandle? file)
    {
        (data, file) = (null, null);
        for (int lookups = 0; lookups < LookupsMax && TryUse(digest, out var blob); lookups++)
        {
            if (blob.Place.IsNone)
            {
                file = TryOpenFile(digest);
                return file is not null;
            }

            data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);
            if (TryRead(blob, data)) return true;
            data = null;
        }

        return false;
    }

    /// <summary>Reads a blob from its place. False when it is not there any more; one that the disk does not give back is a miss from now on.</summary>
    internal bool TryRead(in StoredBlob blob, Span<byte> data)
    {
        var result = ReadSegment(blob.Digest, blob.Place, data);
        if (result == SegmentRead.Bad) LoseRecord(blob.Digest, blob.Place);
        return result == SegmentRead.Whole;
    }

    /// <summary>Makes a blob that waits in a segment for its file one. False when it has none afterwards.</summary>
    internal bool TryMakeFile(in Digest digest)
    {
        if (digest.SizeBytes <= _options.PackedBytesMax || !TryUse(digest, out var blob) || blob.Place.IsNone) return false;

        // It may be moved in between, and then nothing is made.
        return Segments.Find(blob.Place.Segment) is { } segment
            && _keeper.TryMakeFile(segment, new SegmentRecord(digest, blob.Place.Offset))
            && Index.FilesOf(digest).HasFlag(BlobFileKinds.Executable);
    }

    internal SegmentRead ReadSegment(in Digest digest, BlobPlace place, Span<byte> data)
    {
        try
        {
            return Segments.Read(digest, place, data);
        }
        catch (IOException refused)
        {
            // Too little memory or too many files are no fault of the blob, which others will read.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", Files.Root);
        }
    }

    private SafeFileHandle? TryOpenFile(in Digest digest)
    {
        var file = Files.TryOpen(digest);
        if (file is not null && RandomAccess.GetLength(file) == digest.SizeBytes) return file;

        file?.Dispose();
        Quarantine(digest);
        return null;
    }

    private ISynchronousBlobReader? TryBegin(in Digest digest, long offset)
    {
        if (!TryOpen(digest, out byte[]? data, out var file)) return null;
        if (file is null) return new MemoryBlobReader(data.AsMemory((int)offset));

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
        if (!Index.Remove(digest, Bury)) return;

        Segments.NoteDead();
        Observer.Corrupted();
    }

    /// <summary>The same of one whose record is bad, if it is at this place still; one that has a good file besides lives on in that.</summary>
    internal void LoseRecord(in Digest digest, BlobPlace place)
    {
        bool isFileGood = Index.FilesOf(digest).HasFlag(BlobFileKinds.Executable) && LinkedFile.TryKeep(Files, digest, Disk);
        lock (Index.Gate)
        {
            if (!IsAt(digest, place)) return;
            if (isFileGood && Index.TryMove(digest, place, default)) Segments.Die(digest, place);
            else Index.Remove(digest, Bury);
        }

        Segments.NoteDead();
        Observer.Corrupted();
    }

    /// <summary>The same of one whose file somebody took away. False when that is not so, and nothing changes.</summary>
    internal bool TryLoseFile(in Digest digest, BlobFileKinds kind)
    {
        lock (Index.Gate)
        {
            if (!Index.FilesOf(digest).HasFlag(kind) || Files.Has(digest, isVariant: kind == BlobFileKinds.Data)) return false;
            Index.Remove(digest, Bury);
        }

        Segments.NoteDead();
        Observer.Corrupted();
        return true;
    }

    private void Bury(StoredBlob blob)
    {
        Files.Quarantine(blob);
        if (!blob.Place.IsNone) Segments.Die(blob.Digest, blob.Place);
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

    /// <summary>Gives one more file of a blob its name and spends its reservation; false if somebody was faster or the blob is gone.</summary>
    internal bool TryPublish(string tempName, in Digest digest, BlobFileKinds kind)
    {
        bool isVariant = kind == BlobFileKinds.Data;
        lock (Index.Gate)
        {
            if (Files.PublishTemp(tempName, digest, isVariant) != 0) return false;
            if (Index.AddFile(digest, kind, digest.SizeBytes)) return true;

            Files.Unpublish(digest, isVariant);
            return false;
        }
    }

    private Reservation ReserveOrRefuse(long bytes)
    {
        var hidden = new List<string>();
        long evictedBytes = 0;
        bool hasDied = false;
        try
        {
            return Index.Reserve(bytes, _time.GetUtcNow(), Evict, DeleteHidden);
        }
        finally
        {
            DeleteHidden();
            if (evictedBytes > 0) Observer.Evicted(evictedBytes);
            if (hasDied) _keeper.WakeIfWorthIt();
        }

        void Evict(StoredBlob blob)
        {
            Files.Hide(blob, hidden);
            evictedBytes += blob.AccountedBytes;
            if (blob.Place.IsNone) return;
            Segments.Die(blob.Digest, blob.Place);
            hasDied = true;
        }

        // Freeing the blocks of a large file takes a while, so it happens without the lock.
        void DeleteHidden()
        {
            foreach (string name in hidden) Files.DeleteTemp(name);
            hidden.Clear();
            Segments.NoteDead();
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

    private SegmentLog NewLog(DiskBlobStoreOptions options) =>
        new(Segments, Index, Uses, options.Disk, WriteHealth, Observer, _time, options.SegmentBytes) { PackedBytesMax = options.PackedBytesMax };

    /// <summary>The last two that an earlier run did not fill are gone on with; others, which a run can leave that the disk failed, are not.</summary>
    private void ContinueSegments()
    {
        var open = Segments.All.Where(segment => !segment.IsFull).OrderByDescending(segment => segment.Number).ToList();
        if (open.Count > 0) Log.Continue(open[0]);
        if (open.Count > 1) _survivors.Continue(open[1]);
        foreach (var segment in open.Skip(2)) segment.Fill();
        _keeper.Wake();
    }
}
