using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Flush, name, flush the directory, index, acknowledge: the end of the commit order, for all waiting uploads at once.
/// </summary>
/// <remarks>
/// A lone upload starts at once, there is no timer; what arrives while a batch is being flushed forms the next one. So
/// every acknowledged upload is covered by flushes that began after its own bytes were written.
/// Only this class gives new blobs their names, one batch after the other; what is in a segment gets its files from <see cref="SegmentKeeper"/> and
/// <see cref="FileLinker"/>.
/// </remarks>
internal sealed class GroupCommit(
    BlobFiles files, BlobIndex index, UseLog uses, IDisk disk, DiskWriteHealth health, IBlobStoreObserver observer, TimeProvider time)
{
    // Bounds how long the first of a batch waits for the last.
    private const int BatchMax = 512;

    private const int FlushesAtOnce = 8;

    private readonly Lock _gate = new();
    private readonly Queue<PendingCommit> _waiting = new();
    private TaskCompletionSource? _idle;
    private volatile bool _isSuspect;

    /// <summary>The disk has failed a flush. It may have dropped what it was given, so this never heals by itself.</summary>
    public bool IsSuspect => _isSuspect;

    public Task<PublishResult> CommitAsync(PendingCommit commit)
    {
        lock (_gate)
        {
            _waiting.Enqueue(commit);
            if (_idle is not null) return commit.Done;
            _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        ThreadPool.UnsafeQueueUserWorkItem(static group => group.Run(), this, preferLocal: false);
        return commit.Done;
    }

    /// <summary>Waits until nothing is under way.</summary>
    public Task DrainAsync()
    {
        lock (_gate) return _idle?.Task ?? Task.CompletedTask;
    }

    /// <summary>Flushes one file on its own, which large ones do before they queue: nobody small should wait for them.</summary>
    public void FlushFile(SafeFileHandle file) => FlushOrThrow(file, "flushing a file");

    private void Run()
    {
        var batch = new List<PendingCommit>();
        while (TakeBatch(batch))
        {
            // Of the whole batch, whoever was told already: the list that is worked on shrinks on the way.
            PendingCommit[] all = [.. batch];
            ServingLoop.Serve(() => Publish(batch), failure =>
            {
                foreach (var commit in all) commit.Fail(failure);
            });
        }
    }

    private bool TakeBatch(List<PendingCommit> batch)
    {
        batch.Clear();
        lock (_gate)
        {
            while (batch.Count < BatchMax && _waiting.TryDequeue(out var commit)) batch.Add(commit);
            if (batch.Count > 0) return true;

            _idle!.SetResult();
            _idle = null;
            return false;
        }
    }

    private void Publish(List<PendingCommit> batch)
    {
        FlushFiles(batch);
        var named = Name(batch);
        FlushDirectories(named, batch);

        AddToIndex(named, batch);
        uses.Flush();
        if (named.Count > 0) health.Succeeded();
        foreach (var commit in named) commit.Complete(PublishResult.Published);
        // What is left found its blob present, or came second in this batch and is covered by the first one's flushes.
        foreach (var commit in batch) commit.Complete(PublishResult.AlreadyPresent);
    }

    private void FlushFiles(List<PendingCommit> batch)
    {
        var failures = new Exception?[batch.Count];
        if (batch.Count == 1)
        {
            FlushOnce(0);
        }
        else
        {
            // All bytes on their way first, then several flushes at once: the file system answers them with one commit
            // of its journal. On a busy disk 200 small files took 13 to 30 ms so, and 300 to 700 ms one after the other.
            foreach (var commit in batch)
                if (!commit.IsFlushed) Posix.StartWriteback(commit.File, 0, 0);
            FlushAtOnce(batch.Count, FlushOnce);
        }

        for (int i = batch.Count - 1; i >= 0; i--)
        {
            if (failures[i] is not { } failure) continue;
            batch[i].Fail(failure);
            batch.RemoveAt(i);
        }

        void FlushOnce(int i)
        {
            if (!batch[i].IsFlushed) ServingLoop.Serve(() => FlushFile(batch[i].File), failure => failures[i] = failure);
        }
    }

    private static void FlushAtOnce(int count, Action<int> flush)
    {
        int next = -1;
        // Threads of our own: they spend their time inside the kernel, and the pool has two at first.
        var helpers = new Thread[Math.Min(FlushesAtOnce, count / 2) - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(FlushNext, maxStackSize: 128 << 10) { Name = "storage flush", IsBackground = true };
            helpers[i].Start();
        }

        FlushNext();
        foreach (var helper in helpers) helper.Join();

        void FlushNext()
        {
            for (int i = Interlocked.Increment(ref next); i < count; i = Interlocked.Increment(ref next)) flush(i);
        }
    }

    /// <summary>Names what is new, and leaves in the batch only what the named ones answer for.</summary>
    private List<PendingCommit> Name(List<PendingCommit> batch)
    {
        var named = new List<PendingCommit>(batch.Count);
        var fresh = new HashSet<Digest>();
        for (int i = batch.Count - 1; i >= 0; i--)
        {
            var commit = batch[i];
            if (fresh.Contains(commit.Digest)) continue;

            bool isPresent = false;
            bool isServed = ServingLoop.Serve(() => isPresent = !TryName(commit), commit.Fail);
            if (isPresent) continue;

            batch.RemoveAt(i);
            if (!isServed || commit.Done.IsCompleted) continue;
            fresh.Add(commit.Digest);
            named.Add(commit);
        }

        return named;
    }

    /// <summary>False when the blob is there already.</summary>
    private bool TryName(PendingCommit commit)
    {
        // The name of a frame says its size: one that is there already may have another.
        if (commit.FrameBytes > 0 && index.Touch(commit.Digest, time.GetUtcNow())) return false;

        int errno = TryNameOnce(commit);
        if (errno == Errno.EEXIST)
        {
            // The touch is the proof: it finds the blob and promises it in one step, so no eviction can come between.
            if (index.Touch(commit.Digest, time.GetUtcNow())) return false;

            // Evicted in this instant, or a leftover that no index knows and nobody vouches for.
            Unpublish(commit);
            errno = TryNameOnce(commit);
        }

        if (errno == 0) return true;
        if (commit.TempName is not null) throw health.Failed(StorageErrors.FromErrno(errno, "naming a blob", files.Root));
        commit.Complete(PublishResult.CannotLink);
        return true;
    }

    private int TryNameOnce(PendingCommit commit) => commit switch
    {
        { TempName: { } temp, FrameBytes: > 0 } => files.PublishFrame(temp, commit.Digest, commit.FrameBytes),
        { TempName: { } temp } => files.PublishTemp(temp, commit.Digest),
        _ => files.PublishDescriptor(commit.File, commit.Digest),
    };

    private void Unpublish(PendingCommit commit)
    {
        if (commit.FrameBytes > 0) files.UnpublishFrame(commit.Digest, commit.FrameBytes);
        else files.Unpublish(commit.Digest);
    }

    private void FlushDirectories(List<PendingCommit> named, List<PendingCommit> batch)
    {
        foreach (var shard in named.GroupBy(commit => BlobFiles.ShardNumber(commit.Digest)).ToList())
        {
            ServingLoop.Serve(() => FlushOrThrow(files.Shard(shard.Key), "flushing a directory"), failure =>
            {
                foreach (var commit in shard) TakeBack(commit, batch, failure);
                named.RemoveAll(shard.Contains);
            });
        }
    }

    private void AddToIndex(List<PendingCommit> named, List<PendingCommit> batch)
    {
        var now = time.GetUtcNow();
        named.RemoveAll(commit => !ServingLoop.Serve(
            () => Add(commit, now),
            failure => TakeBack(commit, batch, failure)));
    }

    private void Add(PendingCommit commit, DateTimeOffset now)
    {
        var digest = commit.Digest;
        if (commit.FrameBytes > 0)
        {
            index.Add(new StoredBlob(digest, default, BlobFileKinds.None) { FrameBytes = commit.FrameBytes }, digest.SizeBytes, now);
            return;
        }

        lock (index.Gate)
        {
            // Somebody else's upload is in a segment since a moment: then this is a file of it.
            if (index.AddFile(digest, BlobFileKinds.Executable, digest.SizeBytes)) index.Touch(digest, now);
            else index.Add(digest, default, BlobFileKinds.Executable, digest.SizeBytes, now);
        }
    }

    /// <summary>A blob that got its name and cannot keep it: its upload fails, and so do those that counted on it.</summary>
    private void TakeBack(PendingCommit commit, List<PendingCommit> batch, Exception failure)
    {
        Unpublish(commit);
        commit.Fail(failure);
        foreach (var loser in batch.FindAll(other => other.Digest == commit.Digest)) loser.Fail(failure);
    }

    private void FlushOrThrow(SafeFileHandle file, string step)
    {
        long start = time.GetTimestamp();
        int errno = disk.Flush(file);
        observer.Flushed(time.GetElapsedTime(start));
        if (errno == 0) return;

        // fsync reports an error once and may then call the lost pages clean (fsync(2)): trying again would lie.
        _isSuspect = true;
        throw health.Failed(StorageErrors.FromErrno(errno, step, files.Root));
    }
}
