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

    // A file system that is slower in making files than we are in taking blobs: these go the way of large ones until it has caught up.
    private const long FilelessBytesMax = 256 << 20;

    private readonly SteadyTime _time;
    private readonly FileImporter _importer;
    private readonly DiskBlobStoreOptions _options;
    private readonly SegmentLog _survivors;
    private readonly SegmentKeeper _keeper;

    private DiskBlobStore(DiskBlobStoreOptions options, DiskRestart found)
    {
        var (files, segments, index, uses, health, time) = (found.Files, found.Segments, found.Index, found.Uses, found.WriteHealth, found.Time);
        HasUnflushedFiles = found.HasUnflushedFiles;
        _options = options;
        _time = time;
        (Files, Segments, Index, Uses) = (files, segments, index, uses);
        Disk = options.Disk;
        Observer = options.Observer;
        WriteHealth = health;
        Promises = new BlobPromises(index, uses, time, Observer);
        Room = new BlobRoom(index, files, segments, time, Observer);
        Bad = new BadBlobs(index, files, segments, Disk, Observer);
        Opener = new BlobOpener(this);
        Plain = new PlainFiles(this);
        FirstUses = new FirstUses(this, options.ReadTwiceBytesMax);
        Commits = new GroupCommit(files, index, uses, options.Disk, WriteHealth, Observer, time);
        (Log, _survivors) = (NewLog(), NewLog());
        _keeper = new SegmentKeeper(this, segments, _survivors);
        Log.Advanced = _survivors.Advanced = _keeper.Wake;
        Room.HasDied = _keeper.WakeIfWorthIt;
        _importer = new FileImporter(this);
        Linker = new FileLinker(this);
        ContinueSegments();
    }

    public BlobStoreUsage Usage
    {
        get
        {
            var now = _time.GetUtcNow();
            var usage = Index.Usage(IsSuspect, now);
            var oldest = usage.OldestUse > now ? now : usage.OldestUse; // uses are rounded up
            return usage with { OldestUse = oldest + _time.WallAhead }; // for people, who have a wall clock
        }
    }

    internal IDisk Disk { get; }

    internal TimeProvider Time => _time;

    internal BlobFiles Files { get; }

    internal SegmentSet Segments { get; }

    /// <summary>Where new small blobs go.</summary>
    internal SegmentLog Log { get; }

    /// <summary>For tests: what happens behind everybody's back.</summary>
    internal SegmentKeeper Keeper => _keeper;

    internal BlobIndex Index { get; }

    internal BlobPromises Promises { get; }

    internal BlobRoom Room { get; }

    internal BadBlobs Bad { get; }

    internal BlobOpener Opener { get; }

    internal PlainFiles Plain { get; }

    internal FirstUses FirstUses { get; }

    internal FileLinker Linker { get; }

    /// <summary>Whether a blob is stored as a zstd frame, if it becomes smaller.</summary>
    internal bool IsCompressed(long sizeBytes) => _options.CompressesAtRest && sizeBytes > _options.LoggedBytesMax;

    internal UseLog Uses { get; }

    internal GroupCommit Commits { get; }

    internal BulkThreads Bulk { get; } = new();

    internal DiskWriteHealth WriteHealth { get; }

    /// <summary>There are files that were made to be linked, and are not flushed for it. The next run believes in them if this one ends in order.</summary>
    internal bool HasUnflushedFiles { get; private set; }

    internal IBlobStoreObserver Observer { get; }

    private bool IsSuspect => Commits.IsSuspect || Log.IsSuspect || _survivors.IsSuspect || _keeper.IsSuspect;

    /// <summary>Takes the directory for this process and finds what is there.</summary>
    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static async Task<DiskBlobStore> OpenAsync(DiskBlobStoreOptions options, TimeProvider clock, CancellationToken cancellationToken) =>
        new(options, await DiskRestart.ReadAsync(options, clock, cancellationToken));

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        Promises.FindMissing(digests, PromiseKind.Use, cancellationToken);

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken)
    {
        if (kind == PromiseKind.Hit) await FirstUses.CheckHitAsync(digests, cancellationToken);
        return await Promises.FindMissing(digests, kind, cancellationToken);
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OpenAsync(digest, offset, isToEnd: false, cancellationToken);

    public ValueTask<IBlobReader?> OpenToEndAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OpenAsync(digest, offset, isToEnd: true, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (!FirstUses.AreOver && Index.IsUnsure(digest)) return CreateCheckedAsync(digest, cancellationToken);
        if (digest.IsEmpty || Promises.TryPromise(digest)) return ValueTask.FromResult<IBlobWriter>(new PresentBlobWriter(digest));

        return ValueTask.FromResult<IBlobWriter>(IsLogged(digest.SizeBytes) && Room.TryGather(digest.SizeBytes)
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

    public async ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        if (!FirstUses.AreOver)
        {
            // Promised first, as by the linking itself: what is looked at takes its time.
            var digests = links.Select(link => link.Digest).ToArray();
            Promises.PromiseMany(digests, new List<Digest>(), cancellationToken);
            await FirstUses.CheckManyAsync(digests, cancellationToken);
        }

        return Linker.Link(links, cancellationToken);
    }

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        _importer.CopyAsync(function, file, cancellationToken);

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        _importer.TakeAsync(function, file, cancellationToken);

    public void PutAside(Digest digest) => Bad.Quarantine(digest);

    /// <summary>How long ago a blob was used last, over restarts; to ask is no use of it. Null is a miss.</summary>
    public TimeSpan? UnusedFor(Digest digest)
    {
        if (Index.LastUse(digest) is not { } use) return null;
        var now = _time.GetUtcNow();
        return use < now ? now - use : TimeSpan.Zero; // uses are rounded up
    }

    /// <summary>Lets commits end, writes the order of use down and gives the directory back.</summary>
    public async ValueTask DisposeAsync()
    {
        await FirstUses.DisposeAsync();
        await Plain.DisposeAsync();
        await Commits.DrainAsync();
        await Log.DrainAsync();
        Bulk.Dispose(); // some of it makes files, which the keeper flushes at its end
        await _keeper.StopAsync();
        await _survivors.DrainAsync();
        await Promises.DrainAsync();
        Segments.NoteDead();
        if (FirstUses.AreOver) LossNote.TakeAway(Files.LossNotePath);
        Uses.Close(Index);
        Uses.Dispose();
        Segments.Dispose();
        Files.Dispose();
        Opener.Dispose();
    }

    private ValueTask<IBlobReader?> OpenAsync(Digest digest, long offset, bool isToEnd, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return ValueTask.FromResult<IBlobReader?>(new MemoryBlobReader(default));

        if ((offset > 0 || !FirstUses.AreOver) && Opener.IsSlow(digest, offset))
            return TellAsync(digest, Opener.OpenSlowlyAsync(digest, offset, isToEnd, cancellationToken));
        var reader = Opener.TryBegin(digest, offset, isCheckedWhileRead: false, cancellationToken);
        Observer.Opened(reader is null ? null : digest.SizeBytes);
        return ValueTask.FromResult<IBlobReader?>(reader);
    }

    private async ValueTask<IBlobWriter> CreateCheckedAsync(Digest digest, CancellationToken cancellationToken)
    {
        await FirstUses.CheckAsync(digest, cancellationToken);
        return await CreateWriterAsync(digest, cancellationToken);
    }

    private async ValueTask<IBlobReader?> TellAsync(Digest digest, ValueTask<IBlobReader?> opening)
    {
        var reader = await opening;
        Observer.Opened(reader is null ? null : digest.SizeBytes);
        return reader;
    }

    /// <summary>Whether a blob goes to a segment first: not where it would stay for good and take its room twice.</summary>
    internal bool IsLogged(long sizeBytes) =>
        sizeBytes <= _options.PackedBytesMax
        || (sizeBytes <= _options.LoggedBytesMax && !_keeper.IsSuspect && Segments.FilelessBytes < FilelessBytesMax);

    /// <summary>Whether the blob is at this place still.</summary>
    internal bool IsAt(in Digest digest, BlobPlace place) => Index.TryMove(digest, place, place);

    /// <summary>Makes a blob that waits in a segment for its file one. False when it has none afterwards.</summary>
    internal bool TryMakeFile(in Digest digest)
    {
        if (digest.SizeBytes <= _options.PackedBytesMax || !Promises.TryUse(digest, out var blob) || blob.Place.IsNone) return false;

        // It may be moved in between, and then nothing is made.
        return Segments.Find(blob.Place.Segment) is { } segment
            && _keeper.TryMakeFile(segment, new SegmentRecord(digest, blob.Place.Offset))
            && Index.FilesOf(digest).HasFlag(BlobFileKinds.Executable);
    }

    /// <summary>Gives one more file of a blob its name and spends its reservation; false if somebody was faster or the blob is gone.</summary>
    internal bool TryPublish(string tempName, in Digest digest, BlobFileKinds kind)
    {
        bool isVariant = kind == BlobFileKinds.Data;
        lock (Index.Gate)
        {
            if (Files.PublishTemp(tempName, digest, isVariant) != 0) return false;
            HasUnflushedFiles = true;
            if (Index.AddFile(digest, kind, digest.SizeBytes)) return true;

            Files.Unpublish(digest, isVariant);
            return false;
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

    private SegmentLog NewLog() =>
        new(Segments, Index, Uses, Disk, WriteHealth, Observer, _time, _options.SegmentBytes) { PackedBytesMax = _options.PackedBytesMax };

    /// <summary>The last two that an earlier run did not fill are gone on with; others, which a run can leave that the disk failed, are not.</summary>
    private void ContinueSegments()
    {
        var open = Segments.All.Where(segment => !segment.IsFull).OrderByDescending(segment => segment.Number).ToList();
        if (open.Count > 0) Log.Continue(open[0]);
        if (open.Count > 1) _survivors.Continue(open[1]);
        foreach (var segment in open.Skip(2)) segment.Fill(footerChecksum: 0);
        _keeper.Wake();
    }
}
