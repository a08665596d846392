using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Blobs as files: what holds of large ones, held by small ones.</summary>
public sealed class DiskBlobStoreTests : DiskFixture
{
    private protected override bool IsPacked => false;

    [Test]
    public async Task A_stored_file_carries_function_hash_and_size_and_cannot_be_written()
    {
        await using var store = await OpenAsync();
        var digest = await store.PutAsync(Blobs.Of(1, 1000));

        string file = FileOf(digest);

        Assert.That(Path.GetFileName(file), Is.EqualTo($"sha256-{digest.Hash}-1000"));
        Assert.That((int)ModeOf(file), Is.EqualTo(Convert.ToInt32("555", 8)));
    }

    [Test]
    public async Task A_second_server_on_the_directory_is_refused_in_one_sentence()
    {
        await using var store = await OpenAsync();

        var refused = Assert.ThrowsAsync<StorageDirectoryException>(() => OpenAsync());

        Assert.That(refused!.Message, Does.Contain("in use by another server").And.EndsWith("."));
    }

    [Test]
    public async Task A_closed_store_leaves_the_directory_to_the_next()
    {
        await (await OpenAsync()).DisposeAsync();
        await (await OpenAsync()).DisposeAsync();
    }

    [Test]
    public void A_directory_that_is_a_file_is_refused_in_one_sentence()
    {
        File.WriteAllText(StoreDirectory, "");

        Assert.That(Assert.ThrowsAsync<StorageDirectoryException>(() => OpenAsync())!.Message, Does.Contain(StoreDirectory));
    }

    [Test]
    public async Task A_restart_finds_the_same_blobs_and_bytes()
    {
        var digests = new List<Digest>();
        await using (var store = await OpenAsync())
        {
            for (int i = 0; i < 300; i++) digests.Add(await store.PutAsync(Blobs.Of(i, 1 + i * 37)));
            await store.TryLinkAsync(digests[7], executable: false, Scratch.Sub("linked"), default);
        }

        await using var again = await OpenAsync();

        await AssertConsistentAsync(again);
        Assert.That(again.Usage.UsedBytes, Is.EqualTo(digests.Sum(digest => digest.SizeBytes) + digests[7].SizeBytes));
        Assert.That(await again.FindMissingAsync(digests, default), Is.Empty);
        for (int i = 0; i < 300; i++) Assert.That(await again.GetAsync(digests[i]), Is.EqualTo(Blobs.Of(i, 1 + i * 37)));
    }

    [Test]
    public async Task A_restart_removes_temps_and_puts_strangers_aside()
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(Blobs.Of(1, 1000));
        string shard = Path.GetDirectoryName(FileOf(digest))!;
        File.WriteAllText(Path.Combine(StoreDirectory, "temp", "7f"), "half an upload");
        File.WriteAllText(Path.Combine(shard, "notes.txt"), "not a blob");
        string truncated = Path.Combine(shard, BlobFiles.NameOf(Blobs.DigestOf(Blobs.Of(2, 50))));
        File.WriteAllBytes(truncated, []);

        await using var again = await OpenAsync();

        await AssertConsistentAsync(again);
        Assert.That(again.Usage.Blobs, Is.EqualTo(1));
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(2));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task A_file_that_was_cut_between_two_runs_is_a_miss_from_the_start_or_when_it_is_first_read(bool isLogTrusted)
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(Blobs.Of(1, 1000));
        using (var cut = File.Open(FileOf(digest), FileMode.Open, FileAccess.Write)) cut.SetLength(10);
        if (!isLogTrusted) File.Delete(Path.Combine(StoreDirectory, "uses"));

        await using var again = await OpenAsync();

        Assert.That(again.Usage.Blobs, Is.EqualTo(isLogTrusted ? 1 : 0));
        Assert.That(await again.OpenReadAsync(digest, 0, default), Is.Null);
        await AssertConsistentAsync(again);
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task The_order_of_use_survives_a_restart()
    {
        var digests = new List<Digest>();
        await using (var store = await OpenAsync(limitBytes: 10_000))
        {
            for (int i = 0; i < 10; i++)
            {
                digests.Add(await store.PutAsync(Blobs.Of(i, 1000)));
                Time.Advance(TimeSpan.FromMinutes(1));
            }

            await store.FindMissingAsync([digests[0], digests[2]], default);
        }

        Time.Advance(Retention);
        await using var again = await OpenAsync(limitBytes: 10_000);
        await again.PutAsync(Blobs.Of(100, 3000));

        Assert.That(await again.FindMissingAsync(digests, default), Is.EqualTo(new[] { digests[1], digests[3], digests[4] }));
    }

    [Test]
    public async Task A_promise_survives_a_restart_and_so_does_its_end()
    {
        await using (var store = await OpenAsync(limitBytes: 1000)) await store.PutAsync(Blobs.Of(1, 1000));
        Time.Advance(Retention - TimeSpan.FromSeconds(1));

        await using (var store = await OpenAsync(limitBytes: 1000))
            Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 1000)));
        Time.Advance(TimeSpan.FromSeconds(1));
        await using (var store = await OpenAsync(limitBytes: 1000))
            await store.PutAsync(Blobs.Of(2, 1000));
    }

    [TestCase(-1)]
    [TestCase(+1)]
    public async Task A_wall_clock_that_is_set_right_breaks_no_promise_and_keeps_nothing_from_ageing(int hours)
    {
        var wall = new SteppedTime(Time);
        await using var store = await OpenAsync(limitBytes: 1000, time: wall);
        await store.PutAsync(Blobs.Of(1, 1000));
        Time.Advance(Retention - TimeSpan.FromSeconds(1));
        wall.Step(TimeSpan.FromHours(hours));

        Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 1000)));
        Time.Advance(TimeSpan.FromSeconds(1));
        await store.PutAsync(Blobs.Of(2, 1000));
    }

    [TestCase(-5, false)]
    [TestCase(+5, false)]
    [TestCase(-5, true)]
    [TestCase(+5, true)]
    public async Task A_wall_clock_that_was_set_before_a_restart_breaks_no_promise_and_keeps_nothing_from_ageing(int hours, bool isKilled)
    {
        var wall = new SteppedTime(Time);
        string uses = Path.Combine(StoreDirectory, "uses"), killed = Scratch.Sub("killed");
        await using (var store = await OpenAsync(limitBytes: 1000, time: wall))
        {
            await store.PutAsync(Blobs.Of(1, 1000));
            Time.Advance(Retention - TimeSpan.FromSeconds(1));
            wall.Step(TimeSpan.FromHours(hours));
            File.Copy(uses, killed);
        }

        if (isKilled) File.Move(killed, uses, overwrite: true);
        wall.Step(TimeSpan.FromHours(hours));
        await using var again = await OpenAsync(limitBytes: 1000, time: wall);

        Assert.ThrowsAsync<RpcException>(async () => await again.PutAsync(Blobs.Of(2, 1000)));
        Time.Advance(TimeSpan.FromSeconds(1) + (isKilled ? new DiskBlobStoreOptions { Directory = "", LimitBytes = 0 }.UseGranularity : TimeSpan.Zero));
        await again.PutAsync(Blobs.Of(2, 1000));
    }

    [Test]
    public async Task A_log_of_another_boot_that_was_closed_is_read_by_the_wall_clock()
    {
        await using (var store = await OpenAsync(limitBytes: 1000)) await store.PutAsync(Blobs.Of(1, 1000));
        string uses = Path.Combine(StoreDirectory, "uses");
        byte[] log = File.ReadAllBytes(uses);
        var frame = new byte[UseRecords.ThisBoot.Length];
        System.Text.Encoding.ASCII.GetBytes("another boot's id").CopyTo(frame, UseRecords.Frames.HeadBytes);
        UseRecords.Frames.Seal(frame);
        frame.CopyTo(log, 0);
        File.WriteAllBytes(uses, log);
        Time.Advance(Retention - TimeSpan.FromSeconds(1));

        await using var again = await OpenAsync(limitBytes: 1000, time: new LaterBoot(Time));

        Assert.ThrowsAsync<RpcException>(async () => await again.PutAsync(Blobs.Of(2, 1000)));
        Time.Advance(TimeSpan.FromSeconds(1));
        await again.PutAsync(Blobs.Of(2, 1000));
    }

    [Test]
    public async Task Without_its_log_of_uses_a_store_renews_every_promise()
    {
        await using (var store = await OpenAsync(limitBytes: 1000)) await store.PutAsync(Blobs.Of(1, 1000));
        File.Delete(Path.Combine(StoreDirectory, "uses"));
        Time.Advance(Retention * 2);

        await using var again = await OpenAsync(limitBytes: 1000);

        Assert.ThrowsAsync<RpcException>(async () => await again.PutAsync(Blobs.Of(2, 1000)));
        Time.Advance(Retention);
        await again.PutAsync(Blobs.Of(2, 1000));
    }

    [Test]
    public async Task A_limit_lowered_at_restart_is_reached_by_the_next_upload()
    {
        await using (var store = await OpenAsync(limitBytes: 10_000))
            for (int i = 0; i < 10; i++) await store.PutAsync(Blobs.Of(i, 1000));
        Time.Advance(Retention);

        await using var again = await OpenAsync(limitBytes: 3000);
        Assert.That(again.Usage.Blobs, Is.EqualTo(10));
        await again.PutAsync(Blobs.Of(10, 1000));

        Assert.That(again.Usage.UsedBytes, Is.EqualTo(3000));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_blob_of_the_wrong_size_becomes_a_miss_and_evidence()
    {
        await using var store = await OpenAsync();
        byte[] data = Blobs.Of(1, 1000);
        var digest = await store.PutAsync(data);
        string file = FileOf(digest);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(file, data.AsSpan(0, 999));

        Assert.That(await store.GetAsync(digest), Is.Null);
        Assert.That(await store.HasAsync(digest), Is.False);
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
        await store.PutAsync(data);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task A_blob_that_the_disk_cannot_give_back_is_a_miss_before_anybody_sees_a_byte()
    {
        var disk = new FaultyDisk();
        await using var store = await OpenAsync(disk: disk);
        byte[] data = Blobs.Of(1, 1000);
        var digest = await store.PutAsync(data);
        var other = await store.PutAsync(Blobs.Of(2, 1000));
        (disk.ReadFault, disk.FaultyFile) = (Errno.EIO, BlobFiles.NameOf(digest));

        Assert.That(await store.OpenReadAsync(digest, 500, default), Is.Null);

        Assert.That(await store.FindMissingAsync([digest, other], default), Is.EqualTo(new[] { digest }));
        Assert.That(await store.GetAsync(other), Is.Not.Null);
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
        disk.ReadFault = 0;
        await store.PutAsync(data);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_blob_that_the_disk_cannot_give_back_to_its_end_breaks_the_stream_and_is_a_miss_from_then_on()
    {
        var disk = new FaultyDisk();
        await using var store = await OpenAsync(disk: disk);
        var digest = await store.PutAsync(Blobs.Of(1, 10_000));
        (disk.ReadFault, disk.ReadFaultFrom, disk.FaultyFile) = (Errno.EIO, 4096, BlobFiles.NameOf(digest));

        await using var reader = await store.OpenReadAsync(digest, 0, default);
        Assert.That(await reader!.ReadAsync(new byte[8192], default), Is.EqualTo(4096));
        Assert.That(await store.HasAsync(digest), Is.True);
        var broken = Assert.ThrowsAsync<RpcException>(async () => await reader.ReadAsync(new byte[8192], default));

        // Retriable: a client that comes again finds it missing, and brings it.
        Assert.That(broken!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(await store.HasAsync(digest), Is.False);
        Assert.That(await store.OpenReadAsync(digest, 0, default), Is.Null);
        await AssertConsistentAsync(store);
    }

    [TestCase(Errno.EMFILE)]
    [TestCase(Errno.EACCES)]
    public async Task A_read_that_fails_for_another_reason_than_the_disk_is_UNAVAILABLE_and_costs_no_blob(int errno)
    {
        var disk = new FaultyDisk();
        using var elsewhere = Mount.Tmpfs(Scratch.Sub("elsewhere"), "size=1m");
        await using var store = await OpenAsync(disk: disk);
        byte[] data = Blobs.Of(1, 10_000);
        var digest = await store.PutAsync(data);
        await using var begun = await store.OpenReadAsync(digest, 0, default);
        (disk.ReadFault, disk.FaultyFile) = (errno, BlobFiles.NameOf(digest));

        var atOpening = Assert.ThrowsAsync<RpcException>(async () => await store.OpenReadAsync(digest, 0, default));
        var later = Assert.ThrowsAsync<RpcException>(async () => await begun!.ReadAsync(new byte[8192], default));

        Assert.That((atOpening!.StatusCode, later!.StatusCode), Is.EqualTo((StatusCode.Unavailable, StatusCode.Unavailable)));
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Is.Empty);
        disk.ReadFault = 0;
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task What_cannot_be_opened_gives_the_directory_back()
    {
        Directory.CreateDirectory(StoreDirectory);
        File.WriteAllText(Path.Combine(StoreDirectory, "quarantine"), "a stranger's");
        Assert.ThrowsAsync<StorageDirectoryException>(() => OpenAsync());

        File.Delete(Path.Combine(StoreDirectory, "quarantine"));

        await using var again = await OpenAsync();
    }

    [Test]
    public async Task A_large_input_root_is_promised_in_slices()
    {
        await using var store = await OpenAsync();
        var links = Enumerable.Range(0, (2 * BlobIndex.EntriesPerHold) + 1)
            .Select(i => new BlobLink(Blobs.DigestOf(BitConverter.GetBytes(i)), Executable: false, Scratch.Sub($"{i}"))).ToArray();

        Assert.That(await store.LinkManyAsync(links, default), Has.Count.EqualTo(links.Length));
    }

    [Test]
    public async Task A_blob_that_the_disk_cannot_give_back_is_missing_for_who_copies_it()
    {
        var disk = new FaultyDisk();
        using var elsewhere = Mount.Tmpfs(Scratch.Sub("elsewhere"), "size=1m");
        await using var store = await OpenAsync(disk: disk);
        var digest = await store.PutAsync(Blobs.Of(1, 1000));
        (disk.ReadFault, disk.FaultyFile) = (Errno.EIO, BlobFiles.NameOf(digest));

        string path = Path.Combine(elsewhere.Path, "input");
        Assert.That(await store.TryLinkAsync(digest, executable: true, path, default), Is.False);

        Assert.That(File.Exists(path), Is.False);
        Assert.That(await store.HasAsync(digest), Is.False);
    }

    [Test]
    public async Task The_directories_of_a_store_keep_their_names_after_a_loss_of_power()
    {
        var disk = new CountingDisk();
        string directory = Scratch.Sub("made/for/it");
        await using (await OpenAsync(directory: directory, disk: disk))
        {
        }

        string[] parents = [Scratch.Path, Scratch.Sub("made"), Scratch.Sub("made/for"), directory, Path.Combine(directory, "blobs")];
        Assert.That(disk.FlushedPaths, Is.SupersetOf(parents));
    }

    [Test]
    public async Task A_file_deleted_behind_our_back_becomes_a_miss_and_can_be_written_again()
    {
        await using var store = await OpenAsync();
        byte[] data = Blobs.Of(1, 1000);
        var digest = await store.PutAsync(data);
        File.Delete(FileOf(digest));

        Assert.That(await store.GetAsync(digest), Is.Null);
        await store.PutAsync(data);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test] // TRUST 4.1: no room is taken for what a digest claims
    public async Task Uploads_that_claim_the_whole_store_and_send_nothing_leave_room_for_others()
    {
        const long limitBytes = 64 << 20;
        await using var store = await OpenAsync(limitBytes: limitBytes);
        var claims = new List<IBlobWriter>();
        for (int i = 0; i < 100; i++)
        {
            byte[] hash = Convert.FromHexString(Blobs.DigestOf(Blobs.Of(i, 10)).Hash);
            claims.Add(await store.CreateWriterAsync(Digest.FromHash(DigestFunction.Sha256, hash, limitBytes), default));
            await claims[i].AppendAsync(new byte[1], default);
        }

        Assert.That(await store.GetAsync(await store.PutAsync(Blobs.Of(1000, 5_000_000))), Has.Length.EqualTo(5_000_000));
        foreach (var claim in claims) await claim.DisposeAsync();
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Many_writers_of_the_same_and_of_different_blobs_share_flushes()
    {
        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk);
        int before = disk.Flushes;
        var gate = disk.HoldNext();
        var first = store.PutAsync(Blobs.Of(1000, 100));
        await gate.Reached;

        // While the first flush is held, a hundred more arrive: they are one batch.
        var writes = Enumerable.Range(0, 100).Select(i => store.PutAsync(Blobs.Of(i % 50, 100))).ToList();
        gate.Release();
        await first;
        await Task.WhenAll(writes);

        await AssertConsistentAsync(store);
        Assert.That(store.Usage.Blobs, Is.EqualTo(51));
        // 101 files and, for two batches, at most 1 + 16 directories.
        Assert.That(disk.Flushes - before, Is.LessThanOrEqualTo(101 + 17));
    }

    [Test]
    public async Task A_failed_flush_of_a_file_fails_its_upload_only_and_marks_the_disk()
    {
        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk);
        await store.PutAsync(Blobs.Of(1, 100));
        disk.FailNext();

        var failed = Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 100)));

        Assert.That(failed!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(store.Usage.IsSuspect, Is.True);
        Assert.That(store.Usage.Blobs, Is.EqualTo(1));
        await AssertConsistentAsync(store);
        await store.PutAsync(Blobs.Of(2, 100));
    }

    [Test]
    public async Task A_failed_flush_of_a_directory_takes_the_name_back()
    {
        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk);
        disk.FailAfter(1);

        var failed = Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 100)));

        Assert.That(failed!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(BlobFilesIn(StoreDirectory), Is.Empty);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_failed_flush_of_a_large_file_fails_its_upload()
    {
        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk);
        disk.FailNext();

        Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 3 << 20)));

        Assert.That(store.Usage.IsSuspect, Is.True);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Random_work_leaves_exact_accounting()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var store = await OpenAsync(limitBytes: 200_000);
        for (int round = 0; round < 10; round++)
        {
            var tasks = new List<Task>();
            for (int i = 0; i < 40; i++)
            {
                byte[] data = Blobs.Of(random.Next(60), random.Next(3) == 0 ? 9000 : 4000);
                string path = Scratch.Sub($"link-{round}-{i}");
                tasks.Add(random.Next(3) switch
                {
                    0 => store.TryLinkAsync(Blobs.DigestOf(data), random.Next(2) == 0, path, default).AsTask(),
                    1 => store.HasAsync(Blobs.DigestOf(data)),
                    _ => PutIfRoomAsync(store, data),
                });
            }

            await Task.WhenAll(tasks);
            await AssertConsistentAsync(store);
            Assert.That(store.Usage.UsedBytes, Is.LessThanOrEqualTo(200_000));
            Time.Advance(TimeSpan.FromHours(random.Next(6)));
            if (random.Next(3) == 0)
            {
                var before = store.Usage;
                await store.DisposeAsync();
                store = await OpenAsync(limitBytes: 200_000);
                Assert.That((store.Usage.UsedBytes, store.Usage.Blobs), Is.EqualTo((before.UsedBytes, before.Blobs)));
            }
        }

        await store.DisposeAsync();
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

    /// <summary>A machine that was started anew: its monotonic clock begins again.</summary>
    private sealed class LaterBoot(TimeProvider time) : TimeProvider
    {
        private readonly long _boot = time.GetTimestamp();

        public override long TimestampFrequency => time.TimestampFrequency;

        public override DateTimeOffset GetUtcNow() => time.GetUtcNow();

        public override long GetTimestamp() => time.GetTimestamp() - _boot;
    }

    private sealed class CountingDisk : IDisk
    {
        private readonly Disk _disk = new();
        private int _failAt = -1;
        private int _flushes;
        private Gate? _gate;

        public int Flushes => _flushes;

        public void FailNext() => FailAfter(0);

        public void FailAfter(int flushes) => _failAt = _flushes + flushes;

        public Gate HoldNext() => _gate = new Gate();

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);

        public System.Collections.Concurrent.ConcurrentBag<string> FlushedPaths { get; } = [];

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            FlushedPaths.Add(new FileInfo($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}").LinkTarget!);
            Interlocked.Exchange(ref _gate, null)?.Pass();
            return Interlocked.Increment(ref _flushes) - 1 == _failAt ? Errno.EIO : _disk.Flush(fileOrDirectory);
        }
    }

    private sealed class Gate
    {
        private readonly TaskCompletionSource _reached = new();
        private readonly ManualResetEventSlim _open = new();

        public Task Reached => _reached.Task;

        public void Pass()
        {
            _reached.SetResult();
            _open.Wait();
        }

        public void Release() => _open.Set();
    }
}
