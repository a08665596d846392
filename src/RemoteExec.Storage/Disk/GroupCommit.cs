using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Flush, name, flush the directory, index, acknowledge: the end of the commit order, for all waiting uploads at once.
/// </summary>
/// <remarks>
/// A lone upload starts at once, there is no timer; what arrives while a batch is being flushed forms the next one. So
/// every acknowledged upload is covered by flushes that began after its own bytes were written.
/// Only this class gives blobs their names, one batch after the other.
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
    public void FlushFile(SafeFileHandle file)
    {
        int errno = Flush(file);
        if (errno != 0) throw Suspect(errno, "flushing a file");
    }

    private void Run()
    {
        var batch = new List<PendingCommit>();
        while (TakeBatch(batch))
        {
            try
            {
                Publish(batch);
            }
            catch (Exception failure)
            {
                // The loop must outlive a fault; each upload of the batch reports it.
                foreach (var commit in batch) commit.Fail(failure);
            }
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

        foreach (var commit in named)
            index.Add(commit.Digest, commit.Digest.SizeBytes, time.GetUtcNow());
        uses.Flush();
        if (named.Count > 0) health.Succeeded();
        foreach (var commit in named) commit.Complete(PublishResult.Published);
        // What is left found its blob present, or came second in this batch and is covered by the first one's flushes.
        foreach (var commit in batch) commit.Complete(PublishResult.AlreadyPresent);
    }

    private void FlushFiles(List<PendingCommit> batch)
    {
        int[] errors = new int[batch.Count];
        if (batch.Count == 1)
        {
            errors[0] = FlushOnce(batch[0]);
        }
        else
        {
            // All bytes on their way first, then several flushes at once: the file system answers them with one commit
            // of its journal. On a busy disk 200 small files took 13 to 30 ms so, and 300 to 700 ms one after the other.
            foreach (var commit in batch)
                if (!commit.IsFlushed) Posix.StartWriteback(commit.File, 0, 0);
            FlushAtOnce(batch, errors);
        }

        for (int i = batch.Count - 1; i >= 0; i--)
        {
            if (errors[i] == 0) continue;
            batch[i].Fail(Suspect(errors[i], "flushing a file"));
            batch.RemoveAt(i);
        }
    }

    private void FlushAtOnce(List<PendingCommit> batch, int[] errors)
    {
        int next = -1;
        // Threads of our own: they spend their time inside the kernel, and the pool has two at first.
        var helpers = new Thread[Math.Min(FlushesAtOnce, batch.Count / 2) - 1];
        for (int i = 0; i < helpers.Length; i++)
        {
            helpers[i] = new Thread(FlushNext, maxStackSize: 128 << 10) { Name = "storage flush", IsBackground = true };
            helpers[i].Start();
        }

        FlushNext();
        foreach (var helper in helpers) helper.Join();

        void FlushNext()
        {
            for (int i = Interlocked.Increment(ref next); i < batch.Count; i = Interlocked.Increment(ref next))
                errors[i] = FlushOnce(batch[i]);
        }
    }

    private int FlushOnce(PendingCommit commit) => commit.IsFlushed ? 0 : Flush(commit.File);

    /// <summary>Names what is new, and leaves in the batch only what the named ones answer for.</summary>
    private List<PendingCommit> Name(List<PendingCommit> batch)
    {
        var named = new List<PendingCommit>(batch.Count);
        var fresh = new HashSet<Digest>();
        for (int i = batch.Count - 1; i >= 0; i--)
        {
            var commit = batch[i];
            if (fresh.Contains(commit.Digest)) continue;

            int errno = TryName(commit, out bool isPresent);
            if (errno == 0 && isPresent) continue;

            batch.RemoveAt(i);
            if (errno == 0)
            {
                fresh.Add(commit.Digest);
                named.Add(commit);
            }
            else if (commit.TempName is null)
            {
                commit.Complete(PublishResult.CannotLink);
            }
            else
            {
                commit.Fail(health.Failed(StorageErrors.FromErrno(errno, "naming a blob", files.Root)));
            }
        }

        return named;
    }

    private int TryName(PendingCommit commit, out bool isPresent)
    {
        isPresent = false;
        int errno = TryNameOnce(commit);
        if (errno != Errno.EEXIST) return errno;

        // The touch is the proof: it finds the blob and promises it in one step, so no eviction can come between.
        isPresent = index.Touch(commit.Digest, time.GetUtcNow());
        if (isPresent) return 0;

        // Evicted in this instant, or a leftover that no index knows and nobody vouches for.
        files.Unpublish(commit.Digest);
        return TryNameOnce(commit);
    }

    private int TryNameOnce(PendingCommit commit) => commit.TempName is { } temp
        ? files.PublishTemp(temp, commit.Digest)
        : files.PublishDescriptor(commit.File, commit.Digest);

    private void FlushDirectories(List<PendingCommit> named, List<PendingCommit> batch)
    {
        foreach (var shard in named.GroupBy(commit => BlobFiles.ShardNumber(commit.Digest)).ToList())
        {
            int errno = Flush(files.Shard(shard.Key));
            if (errno == 0) continue;

            foreach (var commit in shard)
            {
                files.Unpublish(commit.Digest);
                foreach (var loser in batch.FindAll(other => other.Digest == commit.Digest).Append(commit))
                    loser.Fail(Suspect(errno, "flushing a directory"));
                named.Remove(commit);
            }
        }
    }

    private int Flush(SafeFileHandle file)
    {
        long start = time.GetTimestamp();
        int errno = disk.Flush(file);
        observer.Flushed(time.GetElapsedTime(start));
        return errno;
    }

    private RpcException Suspect(int errno, string step)
    {
        // fsync reports an error once and may then call the lost pages clean (fsync(2)): trying again would lie.
        _isSuspect = true;
        return health.Failed(StorageErrors.FromErrno(errno, step, files.Root));
    }
}
