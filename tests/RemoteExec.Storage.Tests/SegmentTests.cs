using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Small blobs that share files.</summary>
public sealed class SegmentTests : DiskFixture
{
    // A dozen blobs of a kilobyte.
    private const int SmallSegment = 16 << 10;

    [Test]
    public async Task Small_blobs_share_a_file_and_larger_ones_have_their_own()
    {
        await using var store = await OpenAsync();
        foreach (int size in (int[])[1, 100, 4096]) await store.PutAsync(Blobs.Of(size, size));
        await store.PutAsync(Blobs.Of(5, 300_000));

        Assert.That(BlobFilesIn(StoreDirectory).Select(file => file.Length), Is.EqualTo(new[] { 300_000L }));
        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1 }));
        foreach (int size in (int[])[1, 100, 4096]) Assert.That(await store.GetAsync(Blobs.DigestOf(Blobs.Of(size, size))), Is.EqualTo(Blobs.Of(size, size)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Behind_few_records_are_zeros_up_to_the_end_of_the_segment_and_behind_many_none()
    {
        await using var store = await OpenAsync(segmentBytes: 2 << 20);
        await store.PutAsync(Blobs.Of(1, 1000));
        long end = Segments.Scan(StoreDirectory, 1).End;
        byte[] behind = FileTail(1, end);
        Assert.That((behind.Length, behind.AsSpan().ContainsAnyExcept((byte)0)), Is.EqualTo((1 << 20, false)));

        await store.WriteManyAsync([.. Enumerable.Range(0, 300).Select(i => (Blobs.DigestOf(Blobs.Of(i, 4000)), (ReadOnlyMemory<byte>)Blobs.Of(i, 4000)))], default);
        end = Segments.Scan(StoreDirectory, 1).End;
        Assert.That(end, Is.GreaterThan(1 << 20));
        Assert.That(FileTail(1, end), Is.Empty);

        await store.PutAsync(Blobs.Of(2, 1000));
        Assert.That(new FileInfo(Segments.PathOf(StoreDirectory, 1)).Length, Is.EqualTo(2 << 20));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Every_function_has_its_records_also_after_a_restart()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using (var store = await OpenAsync())
            foreach (var function in DigestFunctions.Supported) await store.WriteAllAsync(function, data, default);

        await using var again = await OpenAsync();
        foreach (var function in DigestFunctions.Supported) Assert.That(await again.GetAsync(Digest.Of(function, data)), Is.EqualTo(data), $"{function}");
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_restart_finds_what_is_in_full_segments_and_in_the_open_one()
    {
        BlobStoreUsage before;
        await using (var store = await OpenAsync(segmentBytes: SmallSegment))
        {
            for (int i = 0; i < 100; i++) await store.PutAsync(Blobs.Of(i, 500 + i));
            before = store.Usage;
            Assert.That(Segments.NumbersIn(StoreDirectory), Has.Count.GreaterThan(3));
            Assert.That(Segments.Scan(StoreDirectory, 1).IsFull, Is.True);
        }

        await using var again = await OpenAsync(segmentBytes: SmallSegment);
        Assert.That((again.Usage.UsedBytes, again.Usage.Blobs), Is.EqualTo((before.UsedBytes, before.Blobs)));
        for (int i = 0; i < 100; i++) Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(i, 500 + i))), Is.EqualTo(Blobs.Of(i, 500 + i)));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_restart_reads_the_records_of_a_segment_whose_footer_is_torn()
    {
        await using (var store = await OpenAsync(segmentBytes: SmallSegment))
            for (int i = 0; i < 30; i++) await store.PutAsync(Blobs.Of(i, 1000));
        Damage(1, file => file.SetLength(file.Length - 3));

        await using var again = await OpenAsync(segmentBytes: SmallSegment);
        for (int i = 0; i < 30; i++) Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(i, 1000))), Is.EqualTo(Blobs.Of(i, 1000)));
        await AssertConsistentAsync(again);
    }

    [TestCase(1)]
    [TestCase(40)]
    [TestCase(700)]
    public async Task A_torn_tail_is_written_over(int tornBytes)
    {
        await using (var store = await OpenAsync())
            for (int i = 0; i < 3; i++) await store.PutAsync(Blobs.Of(i, 1000));
        byte[] next = new byte[SegmentFormat.HeadBytes(DigestFunction.Sha256) + 1000];
        Blobs.Of(9, 1000).CopyTo(next, next.Length - 1000);
        SegmentFormat.Seal(next, Blobs.DigestOf(Blobs.Of(9, 1000)), Segments.MarkOf(StoreDirectory, 1));
        int end = Segments.Scan(StoreDirectory, 1).End;
        Damage(1, file =>
        {
            file.Position = end;
            file.Write(next, 0, tornBytes);
        });

        for (int round = 0; round < 2; round++)
        {
            await using var again = await OpenAsync();
            for (int i = 0; i < 3; i++) Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(i, 1000))), Is.EqualTo(Blobs.Of(i, 1000)));
            Assert.That(await again.HasAsync(Blobs.DigestOf(Blobs.Of(9, 1000))), Is.False);
            Assert.That(await again.GetAsync(await again.PutAsync(Blobs.Of(100 + round, 50))), Is.EqualTo(Blobs.Of(100 + round, 50)));
            await AssertConsistentAsync(again);
        }

        Assert.That(Segments.Scan(StoreDirectory, 1).Records, Has.Count.EqualTo(5), "it was gone on with");
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task What_a_client_writes_into_a_blob_is_no_record_and_no_footer_of_ours(bool isTorn) // TRUST A3
    {
        // By the mark of another store: ours is not known to whoever uploads.
        byte[] lie = new byte[1000];
        var victim = Blobs.DigestOf(Blobs.Of(9, 1000));
        byte[] forged = new byte[SegmentFormat.HeadBytes(DigestFunction.Sha256) + lie.Length];
        const ulong Mark = 0x1122334455667788;
        SegmentFormat.Seal(forged, victim, Mark);
        await using (var store = await OpenAsync())
        {
            await store.PutAsync(Blobs.Of(1, 100));
            int offset = Segments.Scan(StoreDirectory, 1).End + SegmentFormat.HeadBytes(DigestFunction.Sha256);
            byte[] footer = SegmentFormat.Footer([new SegmentRecord(victim, offset)], offset + forged.Length, Mark);
            await store.PutAsync([.. forged, .. footer]);
        }

        if (isTorn)
        {
            var last = Segments.Scan(StoreDirectory, 1).Records[^1];
            Damage(1, file =>
            {
                file.Position = last.Offset + 10;
                file.WriteByte(0xFF);
            });
        }

        await using var again = await OpenAsync();
        Assert.That(await again.HasAsync(victim), Is.False);
        Assert.That(again.Usage.Blobs, Is.EqualTo(isTorn ? 1 : 2));
        Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1, 100))), Is.EqualTo(Blobs.Of(1, 100)));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task Two_stores_have_not_the_same_mark_and_one_keeps_its_own()
    {
        await using (var store = await OpenAsync()) await store.PutAsync(Blobs.Of(1, 100));
        await using (var other = await OpenAsync(directory: Scratch.Sub("other"))) await other.PutAsync(Blobs.Of(1, 100));
        ulong mark = Segments.MarkOf(StoreDirectory, 1);
        Assert.That(Segments.MarkOf(Scratch.Sub("other"), 1), Is.Not.EqualTo(mark));

        await using var again = await OpenAsync();
        Assert.That(again.Segments.Mark, Is.EqualTo(mark));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_record_that_rots_costs_itself_alone(bool isFull)
    {
        int segmentBytes = isFull ? SmallSegment : 1 << 20;
        await using (var store = await OpenAsync(segmentBytes: segmentBytes))
            for (int i = 0; i < 30; i++) await store.PutAsync(Blobs.Of(i, 1000));
        var rotten = Segments.Scan(StoreDirectory, 1).Records[4];
        Damage(1, file =>
        {
            file.Position = rotten.Offset + 500;
            file.WriteByte((byte)(file.ReadByte() + 1));
        });

        var told = new CountingObserver();
        await using var again = await OpenAsync(segmentBytes: segmentBytes, observer: told);
        for (int i = 0; i < 30; i++)
            Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(i, 1000))), i == 4 ? Is.Null : Is.EqualTo(Blobs.Of(i, 1000)), $"{i}");
        Assert.That(told.Corrupted, Is.EqualTo(isFull ? 1 : 0), "of an open one a restart reads the records, and does not find it");
        Assert.That(await again.HasAsync(rotten.Digest), Is.False);
        await again.PutAsync(Blobs.Of(4, 1000));
        Assert.That(await again.GetAsync(rotten.Digest), Is.EqualTo(Blobs.Of(4, 1000)));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_segment_in_which_nothing_counts_is_deleted()
    {
        await using var store = await OpenAsync(limitBytes: 40_000, segmentBytes: SmallSegment);
        for (int i = 0; i < 40; i++) await store.PutAsync(Blobs.Of(i, 1000));
        int first = Segments.NumbersIn(StoreDirectory)[0];
        Time.Advance(Retention);

        for (int i = 100; i < 140; i++) await store.PutAsync(Blobs.Of(i, 1000));
        await store.Keeper.IdleAsync();

        Assert.That(Segments.NumbersIn(StoreDirectory)[0], Is.GreaterThan(first));
        Assert.That(File.Exists(Segments.PathOf(StoreDirectory, first) + ".dead"), Is.False);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task What_counts_of_a_sparse_segment_is_copied_and_its_room_comes_back()
    {
        var kept = new List<Digest>();
        await using (var store = await OpenAsync(limitBytes: 400_000, segmentBytes: SmallSegment))
        {
            for (int round = 0; round < 20; round++)
            {
                for (int i = 0; i < 100; i++) await store.PutAsync(Blobs.Of((1000 * round) + i, 1000));
                kept.Add(Blobs.DigestOf(Blobs.Of(1000 * round, 1000)));
                await store.FindMissingAsync(kept, default);
                Time.Advance(Retention - TimeSpan.FromMinutes(1));
                Assert.That(await store.FindMissingAsync(kept, default), Is.Empty);
            }

            await AssertConsistentAsync(store);
            long onDisk = Segments.NumbersIn(StoreDirectory).Sum(number => new FileInfo(Segments.PathOf(StoreDirectory, number)).Length);
            long living = Segments.LivingIn(store).Sum(record => (long)record.LengthBytes);
            // Footers are beside: a twentieth of records of this size.
            Assert.That(onDisk, Is.LessThanOrEqualTo((2.1 * living) + (2.1 * SmallSegment)));
            for (int round = 0; round < 20; round++) Assert.That(await store.GetAsync(kept[round]), Is.EqualTo(Blobs.Of(1000 * round, 1000)));
        }

        await using var again = await OpenAsync(limitBytes: 400_000, segmentBytes: SmallSegment);
        Assert.That(await again.FindMissingAsync(kept, default), Is.Empty);
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task What_was_evicted_does_not_come_back_with_a_restart()
    {
        BlobStoreUsage before;
        await using (var store = await OpenAsync(limitBytes: 40_000))
        {
            for (int i = 0; i < 40; i++) await store.PutAsync(Blobs.Of(i, 1000));
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(100, 4000));
            before = store.Usage;
        }

        await using var again = await OpenAsync(limitBytes: 40_000);
        Assert.That((again.Usage.UsedBytes, again.Usage.Blobs), Is.EqualTo((before.UsedBytes, before.Blobs)));
        for (int i = 0; i < 4; i++) Assert.That(await again.HasAsync(Blobs.DigestOf(Blobs.Of(i, 1000))), Is.False);
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_blob_that_two_segments_have_counts_once()
    {
        await using (var store = await OpenAsync(limitBytes: 4000))
        {
            await store.PutAsync(Blobs.Of(1, 4000));
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(2, 4000));
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(1, 4000));
        }

        File.Delete(Segments.PathOf(StoreDirectory, 1) + ".dead"); // as a loss of power may
        await using var again = await OpenAsync(limitBytes: 4000);
        Assert.That(again.Usage.Blobs, Is.EqualTo(2));
        Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1, 4000))), Is.EqualTo(Blobs.Of(1, 4000)));
        await AssertConsistentAsync(again);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Files_that_were_made_for_links_outlive_a_restart_that_is_sure_of_the_disk(bool isSure)
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = Blobs.DigestOf(data);
        await using (var store = await OpenAsync())
        {
            await store.PutAsync(data);
            await store.TryLinkAsync(digest, executable: true, Scratch.Sub("f"), default);
            await store.TryLinkAsync(digest, executable: false, Scratch.Sub("g"), default);
            Assert.That(store.Usage.UsedBytes, Is.EqualTo(3000));
        }

        if (!isSure) File.Delete(Path.Combine(StoreDirectory, "uses"));
        await using var again = await OpenAsync();
        Assert.That(again.Usage.UsedBytes, Is.EqualTo(isSure ? 3000 : 1000));
        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_data_file_alone_outlives_a_restart_and_an_eviction_takes_it_along()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using (var store = await OpenAsync(limitBytes: 4000))
        {
            await store.PutAsync(data);
            await store.TryLinkAsync(Blobs.DigestOf(data), executable: false, Scratch.Sub("g"), default);
        }

        await using var again = await OpenAsync(limitBytes: 4000);
        Assert.That(again.Usage.UsedBytes, Is.EqualTo(2000));
        Time.Advance(Retention);
        await again.PutAsync(Blobs.Of(2, 4000));
        Assert.That(BlobFilesIn(StoreDirectory), Is.Empty);
        Assert.That(File.ReadAllBytes(Scratch.Sub("g")), Is.EqualTo(data));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_batch_is_flushed_once()
    {
        var disk = new OneFaultDisk();
        await using var store = await OpenAsync(disk: disk);
        await store.PutAsync(Blobs.Of(1000, 10));
        int before = disk.Flushes;

        var statuses = await store.WriteManyAsync(BatchOf(100, 1000), default);

        Assert.That(statuses.Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.OK));
        Assert.That(disk.Flushes - before, Is.EqualTo(1));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_failed_flush_of_a_segment_fails_what_it_was_for_and_nothing_is_appended_there_again()
    {
        var disk = new OneFaultDisk();
        await using (var store = await OpenAsync(disk: disk))
        {
            await store.PutAsync(Blobs.Of(1000, 100));
            disk.FailsNext = true;

            var statuses = await store.WriteManyAsync(BatchOf(3, 100), default);

            Assert.That(statuses.Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.Unavailable));
            Assert.That(store.Usage.IsSuspect, Is.True);
            Assert.That(store.Usage.Blobs, Is.EqualTo(1));
            await store.WriteManyAsync(BatchOf(3, 100), default);
            Assert.That(store.Usage.Blobs, Is.EqualTo(4));
            Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1, 2 }));
            await AssertConsistentAsync(store);
        }

        await using var again = await OpenAsync();
        Assert.That(again.Usage.Blobs, Is.EqualTo(4));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task Each_of_a_batch_has_the_status_that_is_its_own()
    {
        await using var store = await OpenAsync(limitBytes: 10_000);
        byte[] present = Blobs.Of(1, 1000), other = Blobs.Of(2, 1000);
        await store.PutAsync(present);
        var batch = new List<(Digest, ReadOnlyMemory<byte>)>
        {
            (Blobs.DigestOf(present), present),
            (Blobs.DigestOf(other), other),
            (Blobs.DigestOf(other), other),
            (Blobs.DigestOf(Blobs.Of(3, 1000)), other),
            (Blobs.DigestOf(Blobs.Of(4, 1000)), other.AsMemory(1)),
            (Digest.Empty(DigestFunction.Sha256), default),
            (Blobs.DigestOf(Blobs.Of(5, 9000)), Blobs.Of(5, 9000)),
            (Blobs.DigestOf(Blobs.Of(6, 4000)), Blobs.Of(6, 4000)),
            (Blobs.DigestOf(Blobs.Of(7, 4001)), Blobs.Of(7, 4001)),
            (Blobs.DigestOf(Blobs.Of(8, 3000)), Blobs.Of(8, 3000)),
        };

        var statuses = await store.WriteManyAsync(batch, default);

        Assert.That(statuses.Select(status => status.StatusCode).Take(6), Is.EqualTo(new[]
        {
            StatusCode.OK, StatusCode.OK, StatusCode.OK, StatusCode.InvalidArgument, StatusCode.InvalidArgument, StatusCode.OK,
        }));
        Assert.That(statuses.Skip(6).Count(status => status.StatusCode == StatusCode.ResourceExhausted), Is.Positive, "of those there is no room for all");
        for (int i = 6; i < batch.Count; i++) Assert.That(await store.HasAsync(batch[i].Item1), Is.EqualTo(statuses[i].StatusCode == StatusCode.OK));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task On_a_disk_that_is_nearly_full_what_fits_of_what_comes_together_is_stored()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=2m");
        await using (var store = await OpenAsync(directory: mount.Path))
        {
            await store.PutAsync(Blobs.Of(1, 1000));
            mount.Fill();
            mount.Free(64 << 10);

            var stored = await Task.WhenAll(Enumerable.Range(0, 100).Select(async i =>
            {
                try
                {
                    return await store.PutAsync(Blobs.Of(100 + i, 4000));
                }
                catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
                {
                    return default;
                }
            }));

            Assert.That(stored.Count(digest => digest != default), Is.InRange(1, 99));
            Assert.That(await store.FindMissingAsync([.. stored.Where(digest => digest != default)], default), Is.Empty);
            mount.Empty();
            await AssertConsistentAsync(store);
            await store.PutAsync(Blobs.Of(500, 4000));
        }

        await using var again = await OpenAsync(directory: mount.Path);
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task Reading_goes_on_while_segments_are_copied_and_deleted()
    {
        await using var store = await OpenAsync(limitBytes: 100_000, segmentBytes: SmallSegment);
        var kept = Enumerable.Range(0, 10).Select(i => Blobs.Of(i, 1000)).ToList();
        foreach (byte[] data in kept) await store.PutAsync(data);
        using var over = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            int reads = 0;
            do
            {
                byte[] data = kept[reads++ % kept.Count];
                Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
            }
            while (!over.IsCancellationRequested);
        })).ToList();

        for (int i = 0; i < 1000; i++)
        {
            if (i % 50 == 0) await store.FindMissingAsync([.. kept.Select(Blobs.DigestOf)], default);
            await store.PutAsync(Blobs.Of(1000 + i, 1000));
            Time.Advance(Retention / 60);
        }

        await over.CancelAsync();
        await Task.WhenAll(readers);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Random_work_leaves_exact_accounting()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        int[] sizes = [1, 100, 4000, 4096, 4097, 9000];
        var store = await OpenAsync(limitBytes: 200_000, segmentBytes: SmallSegment);
        for (int round = 0; round < 15; round++)
        {
            var tasks = new List<Task>();
            for (int i = 0; i < 40; i++)
            {
                int size = sizes[random.Next(sizes.Length)];
                byte[] data = Blobs.Of(random.Next(30), size);
                string path = Scratch.Sub($"link-{round}-{i}");
                tasks.Add(random.Next(5) switch
                {
                    0 => store.TryLinkAsync(Blobs.DigestOf(data), random.Next(2) == 0, path, default).AsTask(),
                    1 => ReadAsync(store, data),
                    2 => store.WriteManyAsync([.. Enumerable.Range(0, 5).Select(_ => BlobOf(random.Next(30), size))], default).AsTask(),
                    3 when random.Next(4) == 0 => Task.Run(() => store.PutAside(Blobs.DigestOf(data))),
                    _ => PutIfRoomAsync(store, data),
                });
            }

            await Task.WhenAll(tasks);
            await AssertConsistentAsync(store);
            Assert.That(store.Usage.UsedBytes, Is.LessThanOrEqualTo(200_000));
            Time.Advance(TimeSpan.FromHours(random.Next(6)));
            if (random.Next(3) > 0) continue;

            var before = store.Usage;
            await store.DisposeAsync();
            bool isSure = random.Next(2) == 0;
            if (!isSure) File.Delete(Path.Combine(StoreDirectory, "uses"));
            store = await OpenAsync(limitBytes: 200_000, segmentBytes: SmallSegment);
            if (isSure) Assert.That((store.Usage.UsedBytes, store.Usage.Blobs), Is.EqualTo((before.UsedBytes, before.Blobs)));
            Assert.That(store.Usage.Blobs, Is.EqualTo(before.Blobs));
            await AssertConsistentAsync(store);
        }

        await store.DisposeAsync();
    }

    private static async Task ReadAsync(DiskBlobStore store, byte[] data)
    {
        if (await store.GetAsync(Blobs.DigestOf(data)) is { } read) Assert.That(read, Is.EqualTo(data));
    }

    private static async Task PutIfRoomAsync(DiskBlobStore store, byte[] data)
    {
        try
        {
            await store.PutAsync(data);
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
        {
            // The limit is part of the game.
        }
    }

    private static (Digest Digest, ReadOnlyMemory<byte> Data) BlobOf(int seed, int size) => (Blobs.DigestOf(Blobs.Of(seed, size)), Blobs.Of(seed, size));

    private static List<(Digest Digest, ReadOnlyMemory<byte> Data)> BatchOf(int count, int size) => [.. Enumerable.Range(0, count).Select(i => BlobOf(i, size))];

    private void Damage(int segment, Action<FileStream> damage)
    {
        using var file = new FileStream(Segments.PathOf(StoreDirectory, segment), FileMode.Open, FileAccess.ReadWrite);
        damage(file);
    }

    private byte[] FileTail(int number, long from)
    {
        using var file = new FileStream(Segments.PathOf(StoreDirectory, number), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        file.Position = from;
        byte[] tail = new byte[file.Length - from];
        file.ReadExactly(tail);
        return tail;
    }

    /// <summary>Counts flushes, and fails one when it is told to.</summary>
    private sealed class OneFaultDisk : IDisk
    {
        private readonly Disk _disk = new();
        private int _flushes;

        public int Flushes => _flushes;

        public bool FailsNext { get; set; }

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            Interlocked.Increment(ref _flushes);
            if (!FailsNext) return _disk.Flush(fileOrDirectory);
            FailsNext = false;
            return Errno.EIO;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);
    }

    private sealed class CountingObserver : IBlobStoreObserver
    {
        private int _corrupted;

        public int Corrupted => _corrupted;

        void IBlobStoreObserver.Corrupted() => Interlocked.Increment(ref _corrupted);
    }
}
