using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Segments on a disk that refuses, rots or stands still.</summary>
public sealed class SegmentFaultTests : DiskFixture
{
    [Test]
    public async Task Flushes_that_fail_again_and_again_leave_no_segments_behind()
    {
        bool isFailing = false;
        int failures = 0;
        await using var store = await OpenAsync(disk: new FaultyDisk { Flushes = _ => !isFailing || ++failures < 0 });
        await store.PutAsync(Blobs.Of(1000, 100));

        isFailing = true;
        for (int i = 0; i < 5; i++) Assert.That(async () => await store.PutAsync(Blobs.Of(i, 100)), Throws.InstanceOf<Grpc.Core.RpcException>());

        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1 }));
        Assert.That(store.Segments.All.Count(), Is.EqualTo(1));
        Assert.That(failures, Is.EqualTo(2), "then the disk has a pause");
        isFailing = false;
        Assert.That(async () => await store.PutAsync(Blobs.Of(1, 100)), Throws.InstanceOf<Grpc.Core.RpcException>());
        Time.Advance(TimeSpan.FromSeconds(1));
        await store.PutAsync(Blobs.Of(1, 100));
        Assert.That(store.Usage.Blobs, Is.EqualTo(2));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Who_comes_during_the_pause_of_a_full_disk_is_told_when_to_come_again()
    {
        await using var store = await OpenAsync(disk: new FaultyDisk { Flushes = static _ => false, Fault = Errno.ENOSPC });
        for (int i = 0; i < 3; i++)
        {
            var refused = Assert.ThrowsAsync<Grpc.Core.RpcException>(async () => await store.PutAsync(Blobs.Of(i, 100)));
            Assert.That(refused!.Trailers.Select(entry => entry.Key), Has.Member("grpc-status-details-bin"), "RetryInfo");
        }
    }

    [Test]
    public async Task A_segment_that_could_not_be_copied_is_left_alone_for_a_while()
    {
        bool isFailing = false;
        int reads = 0;
        var disk = new FaultyDisk
        {
            Flushes = _ => !isFailing,
            Gives = (path, _, _) =>
            {
                if (path.EndsWith("segments/1", StringComparison.Ordinal)) reads++;
                return true;
            },
        };
        await using var store = await OpenAsync(segmentBytes: 16 << 10, disk: disk);
        var digests = new List<Digest>();
        for (int i = 0; i < 40; i++) digests.Add(await store.PutAsync(Blobs.Of(i, 1000)));
        await store.Keeper.IdleAsync();
        isFailing = true;
        foreach (var digest in digests.Take(12)) store.PutAside(digest);

        await KeepAsync();
        Assert.That(reads, Is.Positive, "what counts of it was to be copied");
        int before = reads;
        await KeepAsync();
        Assert.That(reads, Is.EqualTo(before));

        isFailing = false;
        Time.Advance(TimeSpan.FromSeconds(30));
        await KeepAsync();
        Assert.That(Segments.NumbersIn(StoreDirectory), Does.Not.Contain(1));
        for (int i = 12; i < 40; i++) Assert.That(await store.GetAsync(digests[i]), Is.EqualTo(Blobs.Of(i, 1000)));
        await AssertConsistentAsync(store);

        async Task KeepAsync()
        {
            store.Keeper.Wake();
            await store.Keeper.IdleAsync();
        }
    }

    [Test]
    public async Task Who_tells_of_the_dead_does_not_wait_for_the_disk_that_takes_the_note()
    {
        string path = Scratch.Sub("1"), deadPath = Scratch.Sub("1.dead");
        Mount.Run("mkfifo", deadPath); // a disk that stands still: opening it for writing waits for a reader
        using var segment = new Segment(1, File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite), deadPath, SegmentFormat.HeaderBytes);
        var record = new SegmentRecord(Blobs.DigestOf(Blobs.Of(1, 10)), SegmentFormat.HeaderBytes);
        segment.Append([record]);
        segment.Die(record);
        var noting = Task.Run(segment.NoteDead);
        try
        {
            await Task.Run(() =>
            {
                while (segment.HasUnnoted) Thread.Yield(); // until it is at the disk
                segment.Die(record);
            }).WaitAsync(TimeSpan.FromMinutes(1));
            Assert.That(noting.IsCompleted, Is.False);
        }
        finally
        {
            using (File.OpenHandle(deadPath, FileMode.Open, FileAccess.Read, FileShare.ReadWrite)) Assert.That(async () => await noting, Throws.InstanceOf<NotSupportedException>(), "a pipe has no length");
        }

        File.Delete(deadPath);
        Assert.That(segment.NoteDead(), Is.Null);
        Assert.That(new FileInfo(deadPath).Length, Is.EqualTo(2 * sizeof(int)), "what the disk did not take went with the next");
    }

    [Test]
    public async Task Notes_of_the_dead_that_cannot_be_read_are_none()
    {
        await using (var store = await OpenAsync(limitBytes: 4000))
        {
            await store.PutAsync(Blobs.Of(1, 3000));
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(2, 3000));
            Assert.That(store.Usage.Blobs, Is.EqualTo(1));
        }

        await using (var again = await OpenAsync(disk: new FaultyDisk { Gives = (path, _, _) => !path.EndsWith(".dead", StringComparison.Ordinal) }))
        {
            Assert.That(again.Usage.Blobs, Is.EqualTo(2));
            await again.PutAsync(Blobs.Of(3, 3000));
        }

        Assert.That(Segments.NumbersIn(StoreDirectory), Has.Count.EqualTo(2), "its unknown dead are not written over");
    }

    [Test]
    public async Task A_segment_that_cannot_be_opened_is_a_sentence_for_the_operator()
    {
        await using (var store = await OpenAsync()) await store.PutAsync(Blobs.Of(1, 100));
        File.CreateSymbolicLink(Segments.PathOf(StoreDirectory, 7), "7"); // ELOOP

        Assert.That(() => OpenAsync(), Throws.InstanceOf<StorageDirectoryException>().With.Message.Contains("cannot be read").And.Message.Contains("segments/7"));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_page_that_cannot_be_read_costs_what_is_on_it_alone(bool isLarge)
    {
        await using (var store = await OpenAsync())
            for (int i = 0; i < 100; i++) await store.PutAsync(Blobs.Of(i, 1000));
        var records = Segments.Scan(StoreDirectory, 1).Records;
        int first = isLarge ? 4096 : 8192, last = isLarge ? 20_480 : first; // pages
        string segment = Segments.PathOf(StoreDirectory, 1);
        var disk = new FaultyDisk { Gives = (path, offset, length) => path != segment || offset + length <= first || offset >= last + 4096 };

        await using (var again = await OpenAsync(disk: disk))
        {
            var behind = records.Where(record => record.End <= first || record.Offset >= 2 * last + 4096).ToList();
            Assert.That(behind, Has.Count.GreaterThan(10));
            Assert.That(await again.FindMissingAsync([.. behind.Select(record => record.Digest)], default), Is.Empty);
            Assert.That(again.Usage.Blobs, Is.LessThan(100));
            await again.PutAsync(Blobs.Of(1000, 1000));
            Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1000, 1000))), Is.EqualTo(Blobs.Of(1000, 1000)));
        }

        Assert.That(Segments.Scan(StoreDirectory, 1).Records, Has.Count.EqualTo(100), "nothing was written over it");
    }

    [Test]
    public async Task On_a_disk_that_does_not_take_the_note_of_the_dead_they_are_noted_later()
    {
        await using (var store = await OpenAsync(limitBytes: 4000))
        {
            await store.PutAsync(Blobs.Of(1, 3000));
            Directory.CreateDirectory(Segments.PathOf(StoreDirectory, 1) + ".dead"); // EISDIR, EACCES
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(2, 3000));
            Directory.Delete(Segments.PathOf(StoreDirectory, 1) + ".dead");
        }

        await using var again = await OpenAsync();
        Assert.That(await again.HasAsync(Blobs.DigestOf(Blobs.Of(1, 3000))), Is.False);
        Assert.That(again.Usage.Blobs, Is.EqualTo(1));
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task What_was_evicted_and_comes_back_is_not_promised()
    {
        await using (var store = await OpenAsync(limitBytes: 4000))
        {
            await store.PutAsync(Blobs.Of(1, 3000));
            Time.Advance(Retention);
            await store.PutAsync(Blobs.Of(2, 3000));
        }

        File.Delete(Segments.PathOf(StoreDirectory, 1) + ".dead"); // the disk has never taken it
        await using var again = await OpenAsync(limitBytes: 6000);
        Assert.That(again.Usage.Blobs, Is.EqualTo(2));
        await again.PutAsync(Blobs.Of(3, 3000));
        Assert.That(await again.HasAsync(Blobs.DigestOf(Blobs.Of(1, 3000))), Is.False);
        Assert.That(await again.HasAsync(Blobs.DigestOf(Blobs.Of(2, 3000))), "that one is promised");
    }

    [Test]
    public async Task Records_that_a_start_cannot_flush_are_written_to_another_segment()
    {
        await using (var store = await OpenAsync(limitBytes: 9000))
        {
            await store.PutAsync(Blobs.Of(0, 3000));
            Time.Advance(Retention);
            for (int i = 1; i < 4; i++) await store.PutAsync(Blobs.Of(i, 3000));
        }

        string segment = Segments.PathOf(StoreDirectory, 1);
        await using (var again = await OpenAsync(disk: new FaultyDisk { Flushes = path => path != segment }))
        {
            for (int i = 0; i < 4; i++) Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(i, 3000))), i == 0 ? Is.Null : Is.EqualTo(Blobs.Of(i, 3000)));
            await again.PutAsync(Blobs.Of(4, 3000));
            await AssertConsistentAsync(again);
        }

        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 2 }));
        await using var last = await OpenAsync();
        Assert.That(last.Usage.Blobs, Is.EqualTo(4));
        await AssertConsistentAsync(last);
    }

    [Test]
    public async Task Where_no_segment_can_be_flushed_a_start_still_reads()
    {
        await using (var store = await OpenAsync()) await store.PutAsync(Blobs.Of(1, 3000));

        await using var again = await OpenAsync(disk: new FaultyDisk { Flushes = static path => !int.TryParse(Path.GetFileName(path), out _) });
        Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1, 3000))), Is.EqualTo(Blobs.Of(1, 3000)));
        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1 }));
    }

    [TestCase(int.MaxValue, 32)]
    [TestCase(1000, int.MaxValue)]
    [TestCase(2001, 32)]
    public async Task A_footer_that_lists_what_the_segment_cannot_hold_is_none(int sizeBytes, int offset)
    {
        await using (var store = await OpenAsync()) await store.PutAsync(Blobs.Of(1, 1000));
        var scan = Segments.Scan(StoreDirectory, 1);
        byte[] footer = SegmentFormat.Footer(
            [new SegmentRecord(Digest.FromHash(DigestFunction.Sha256, new byte[32], sizeBytes), offset)], scan.End, Segments.MarkOf(StoreDirectory, 1));
        using (var file = new FileStream(Segments.PathOf(StoreDirectory, 1), FileMode.Open, FileAccess.ReadWrite))
        {
            file.SetLength(scan.End);
            file.Position = scan.End;
            file.Write(footer);
        }

        await using var again = await OpenAsync();
        Assert.That(again.Usage.Blobs, Is.EqualTo(1));
        Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1, 1000))), Is.EqualTo(Blobs.Of(1, 1000)));
        await AssertConsistentAsync(again);
    }

    [TestCase(0)]
    [TestCase(20)]
    [TestCase(32)]
    public async Task A_segment_in_whose_making_a_run_was_killed_is_not_gone_on_with(int headerBytes)
    {
        await using (await OpenAsync()) { }
        File.WriteAllBytes(Segments.PathOf(StoreDirectory, 1), new byte[headerBytes]); // its mark would be told nowhere

        await using (var store = await OpenAsync()) await store.PutAsync(Blobs.Of(1, 1000));

        await using var again = await OpenAsync();
        Assert.That(await again.GetAsync(Blobs.DigestOf(Blobs.Of(1, 1000))), Is.EqualTo(Blobs.Of(1, 1000)));
        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 2 }));
        await AssertConsistentAsync(again);
    }

    /// <summary>Refuses flushes and reads by the file.</summary>
    private sealed class FaultyDisk : IDisk
    {
        private readonly Disk _disk = new();

        public Func<string, bool> Flushes { get; init; } = static _ => true;

        public int Fault { get; init; } = Errno.EIO;

        public Func<string, long, int, bool> Gives { get; init; } = static (_, _, _) => true;

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int FlushData(SafeFileHandle file) => Flushes(PathOf(file)) ? _disk.FlushData(file) : Fault;

        public int FlushFileSystem(SafeFileHandle fileOrDirectory) => _disk.FlushFileSystem(fileOrDirectory);

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) =>
            Gives(PathOf(file), offset, buffer.Length) ? _disk.Read(file, buffer, offset) : throw new FileSystemException("reading", Errno.EIO);

        private static string PathOf(SafeFileHandle file) => new FileInfo($"/proc/self/fd/{file.DangerousGetHandle()}").LinkTarget!;
    }
}
