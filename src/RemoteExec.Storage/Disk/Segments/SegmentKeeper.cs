using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// What becomes of full segments, behind everybody's back: records of larger blobs become files, one flush covers them all, what still counts of
/// a sparse segment is copied to another one, and a segment in which nothing counts goes.
/// </summary>
/// <remarks>
/// Survivors have a log of their own. Among new records, most of which soon are files, they would have to be copied again and again.
/// One pass at a time; it begins when there may be something to do, and ends when there is nothing.
/// </remarks>
internal sealed class SegmentKeeper(DiskBlobStore store, SegmentSet segments, SegmentLog survivors)
{
    // So many at once, and not more: they share their lock of the index, and the disk, with those who wait.
    private const int CopiedRecordsMax = 64;
    private const int CopiedBytesMax = 512 << 10;

    private static readonly TimeSpan CopyRetryInterval = TimeSpan.FromSeconds(30);

    private readonly Lock _gate = new();
    private readonly Dictionary<int, long> _uncopied = []; // when; of the pass alone
    private Task _pass = Task.CompletedTask;
    private bool _isRunning;
    private bool _isWanted;
    private bool _isStopping;
    private volatile bool _isSuspect;

    /// <summary>The disk has failed a flush: from now on no record goes because its blob is a file.</summary>
    public bool IsSuspect => _isSuspect;

    /// <summary>Looks for work, unless somebody is at it, who then looks again.</summary>
    public void Wake()
    {
        lock (_gate)
        {
            _isWanted = true;
            if (_isRunning || _isStopping) return;
            _isRunning = true;
            _pass = Task.Run(RunAsync);
        }
    }

    /// <summary>The same, if there is something to do.</summary>
    public void WakeIfWorthIt()
    {
        if (segments.All.Any(segment => segment.IsSparse)) Wake();
    }

    /// <summary>Waits for the end of what is under way; for tests, which want to see what becomes of it.</summary>
    public async Task IdleAsync()
    {
        while (true)
        {
            Task pass;
            lock (_gate) pass = _pass;
            await pass;
            lock (_gate)
            {
                if (_pass == pass) return;
            }
        }
    }

    /// <summary>Ends. What is a file is flushed, so that the next run may trust it; where that fails, it is told not to.</summary>
    public async Task StopAsync()
    {
        lock (_gate) _isStopping = true;
        await _pass;
        ServingLoop.Serve(() => FlushMoved(store.HasUnflushedFiles), static _ => { }); // the records stay
    }

    /// <summary>Makes a record's blob a file, if it still is where the record says. False when it could not be made now.</summary>
    public bool TryMakeFile(Segment segment, in SegmentRecord record)
    {
        var place = new BlobPlace(segment.Number, record.Offset);
        if (!store.IsAt(record.Digest, place)) return true;

        int sizeBytes = (int)record.Digest.SizeBytes;
        byte[] lent = ArrayPool<byte>.Shared.Rent(sizeBytes);
        string? tempName = null;
        try
        {
            switch (store.Opener.ReadSegment(record.Digest, place, lent.AsSpan(0, sizeBytes)))
            {
                case SegmentRead.Gone: return true;
                case SegmentRead.Bad:
                    store.Bad.LoseRecord(record.Digest, place);
                    return true;
            }

            using (var file = store.Files.CreateTemp(out tempName))
            {
                Fill(file, lent.AsSpan(0, sizeBytes));
                store.Protect(file);
            }

            if (!TryMove(segment, record, place, tempName, out bool isNamed)) return false;
            if (isNamed) tempName = null;
            return true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(lent);
            if (tempName is not null) store.Files.DeleteTemp(tempName);
        }
    }

    private void Fill(SafeFileHandle file, ReadOnlySpan<byte> data)
    {
        try
        {
            RandomAccess.Write(file, data, 0);
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "making a file of a blob", store.Files.Root);
        }
    }

    private bool TryMove(Segment segment, in SegmentRecord record, BlobPlace place, string tempName, out bool isNamed)
    {
        isNamed = false;
        lock (store.Index.Gate)
        {
            if (!store.IsAt(record.Digest, place)) return true;

            // It may have one already: somebody wanted to link it.
            bool hasFile = store.Index.FilesOf(record.Digest).HasFlag(BlobFileKinds.Executable);
            if (!hasFile)
            {
                if (store.Files.PublishTemp(tempName, record.Digest) != 0) return false;
                isNamed = true;
                // Nothing is reserved: what the record took is the file's in the next line.
                store.Index.AddFile(record.Digest, BlobFileKinds.Executable, reservedBytes: 0);
            }

            store.Index.TryMove(record.Digest, place, default);
            segment.Move(record);
            return true;
        }
    }

    private async Task RunAsync()
    {
        while (true)
        {
            lock (_gate)
            {
                _isRunning = _isWanted && !_isStopping;
                if (!_isRunning) return;
                _isWanted = false;
            }

            await ServingLoop.ServeAsync(KeepAllAsync, static _ => { }); // whatever it is, the next pass tries again
        }
    }

    private async ValueTask KeepAllAsync()
    {
        foreach (var segment in segments.All.OrderBy(segment => segment.Number))
            await ServingLoop.ServeAsync(() => KeepAsync(segment), static _ => { }); // a full disk: it stays as it is
    }

    private async ValueTask KeepAsync(Segment segment)
    {
        while (!_isStopping && segments.TryTakeFileless(segment, out var record))
            ServingLoop.Serve(() => TryMakeFile(segment, record), static _ => { }); // it lives on in the segment, and is copied with it

        if (_isStopping) return;
        if (segment.WantsFlush && _isSuspect) ForgetOver(segment);
        if (segment.WantsFlush) FlushMoved(isWanted: false);
        if (!segment.IsSparse || IsLeftAlone(segment)) return;

        bool isCopied = false;
        try
        {
            await CopyLivingAsync(segment);
            isCopied = true;
        }
        finally
        {
            if (!isCopied) _uncopied[segment.Number] = store.Time.GetTimestamp();
        }

        if (segment.LivingBytes > 0) return;

        segments.Delete(segment);
        _uncopied.Clear(); // there is room again
    }

    /// <summary>The disk had no room for what is to be copied of it, and has hardly got some: to read all of it again takes a while.</summary>
    private bool IsLeftAlone(Segment segment) =>
        segment.LivingBytes > 0 && _uncopied.TryGetValue(segment.Number, out long since) && store.Time.GetElapsedTime(since) < CopyRetryInterval;

    /// <summary>One flush for all that has become a file so far.</summary>
    /// <param name="isWanted">Also when no record waits for it.</param>
    private void FlushMoved(bool isWanted)
    {
        var moved = segments.All.Select(segment => (Segment: segment, Count: segment.MovedCount)).Where(segment => segment.Count > 0).ToList();
        if ((moved.Count == 0 && !isWanted) || _isSuspect) return;

        int errno = store.Disk.FlushFileSystem(segments.Directory);
        if (errno != 0)
        {
            // The records stay, whatever became of the files.
            _isSuspect = true;
            // A flush fails once, and then calls the pages clean (syncfs(2)): nor may the next run believe in them.
            store.Uses.Doubt();
            throw store.WriteHealth.Failed(StorageErrors.FromErrno(errno, "flushing files", segments.Path));
        }

        foreach (var (segment, count) in moved)
        {
            segment.ForgetMoved(count);
            segments.NoteDeadOf(segment);
        }

        segments.NoteDead(); // what the disk does not take now it gets with the next
    }

    /// <summary>No flush lets records go any more; but one whose blob was evicted, or is in a segment again, stands in for nothing.</summary>
    private void ForgetOver(Segment segment)
    {
        // A copy: the index's lock comes before that of a segment.
        var over = segment.Moved.Where(record => store.Index.Find(record.Digest) is not { Place.IsNone: true }).ToHashSet();
        if (over.Count == 0 || !segment.ForgetMoved(over.Contains)) return;

        segments.NoteDeadOf(segment);
        segments.NoteDead();
    }

    private async ValueTask CopyLivingAsync(Segment segment)
    {
        if (segment.LivingBytes == 0) return;

        var living = new Queue<SegmentRecord>(SegmentScan.Read(segment.File, store.Disk, segments.Mark).Records);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(CopiedBytesMax);
        try
        {
            while (living.Count > 0 && !_isStopping)
            {
                var (digests, places, bytes) = Gather(segment, living, ref buffer);
                if (digests.Count == 0) continue;

                var records = new PendingRecords(digests, buffer.AsMemory(0, bytes), places);
                await survivors.AppendAsync(records, mayBlock: true);
                if (records.FailureOf(0) is { } failure) throw failure;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
            segments.NoteDead();
        }
    }

    /// <summary>The next few that still count, one behind the other.</summary>
    private (List<Digest> Digests, List<BlobPlace> Places, int Bytes) Gather(Segment segment, Queue<SegmentRecord> living, ref byte[] buffer)
    {
        var digests = new List<Digest>();
        var places = new List<BlobPlace>();
        int bytes = 0;
        while (digests.Count < CopiedRecordsMax && living.TryPeek(out var record) && (bytes == 0 || bytes + record.LengthBytes <= buffer.Length))
        {
            living.Dequeue();
            var place = new BlobPlace(segment.Number, record.Offset);
            if (!store.IsAt(record.Digest, place)) continue;
            if (record.LengthBytes > buffer.Length)
            {
                ArrayPool<byte>.Shared.Return(buffer);
                buffer = ArrayPool<byte>.Shared.Rent(record.LengthBytes);
            }

            if (segments.ReadRecord(record.Digest, place, buffer.AsSpan(bytes, record.LengthBytes)) != SegmentRead.Whole)
            {
                store.Bad.LoseRecord(record.Digest, place);
                continue;
            }

            digests.Add(record.Digest);
            places.Add(place);
            bytes += record.LengthBytes;
        }

        return (digests, places, bytes);
    }
}
