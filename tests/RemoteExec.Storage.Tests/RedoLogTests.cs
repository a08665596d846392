using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Blobs that are acknowledged from a segment and become files afterwards.</summary>
public sealed class RedoLogTests : DiskFixture
{
    private const int SmallSegment = 64 << 10;

    [Test]
    public async Task What_was_acknowledged_from_a_segment_becomes_a_file_and_counts_once()
    {
        await using var store = await OpenAsync();
        byte[] data = Blobs.Of(1, 14_000);
        var digest = await store.PutAsync(data);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data), "wherever it is at the moment");

        await store.Keeper.IdleAsync();

        Assert.That(File.ReadAllBytes(FileOf(digest)), Is.EqualTo(data));
        Assert.That((int)ModeOf(FileOf(digest)), Is.EqualTo(Convert.ToInt32("555", 8)));
        Assert.That(Segments.Has(store, digest), Is.False);
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(14_000));
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_segment_goes_once_one_flush_has_covered_its_files()
    {
        var disk = new CountingDisk();
        await using var store = await OpenAsync(segmentBytes: SmallSegment, disk: disk);
        var digests = new List<Digest>();
        for (int i = 0; i < 20; i++) digests.Add(await store.PutAsync(Blobs.Of(i, 14_000)));
        await store.Keeper.IdleAsync();

        Assert.That(Segments.NumbersIn(StoreDirectory), Has.Count.EqualTo(1), "the open one");
        Assert.That(disk.FileSystemFlushes, Is.InRange(1, 5), "one for each full segment at most");
        for (int i = 0; i < 20; i++) Assert.That(await store.GetAsync(digests[i]), Is.EqualTo(Blobs.Of(i, 14_000)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Without_that_flush_the_records_stay()
    {
        var disk = new CountingDisk { Fault = Errno.EIO };
        await using var store = await OpenAsync(segmentBytes: SmallSegment, disk: disk);
        await FillSegmentAsync(store);

        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1, 2 }));
        Assert.That(store.Usage.IsSuspect, Is.True);
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Without_that_flush_records_go_whose_blobs_were_evicted()
    {
        await using var store = await OpenAsync(limitBytes: 1 << 20, segmentBytes: SmallSegment, disk: new CountingDisk { Fault = Errno.EIO });
        await FillSegmentAsync(store);
        Assert.That(Segments.NumbersIn(StoreDirectory), Does.Contain(1));
        Time.Advance(Retention);
        for (int i = 100; i < 111; i++) await store.PutAsync(Blobs.Of(i, 95_000)); // files, for whose room all others go

        store.Keeper.Wake();
        await store.Keeper.IdleAsync();

        Assert.That(Segments.NumbersIn(StoreDirectory), Does.Not.Contain(1));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task While_no_flush_lets_records_go_blobs_are_files_from_the_start()
    {
        await using var store = await OpenAsync(segmentBytes: SmallSegment, disk: new CountingDisk { Fault = Errno.EIO });
        await FillSegmentAsync(store);

        for (int i = 100; i < 120; i++) await store.PutAsync(Blobs.Of(i, 14_000));

        Assert.That(Segments.NumbersIn(StoreDirectory), Is.EqualTo(new[] { 1, 2 }), "or each blob would take its room twice, for good");
        for (int i = 100; i < 120; i++) Assert.That(File.ReadAllBytes(FileOf(Blobs.DigestOf(Blobs.Of(i, 14_000)))), Is.EqualTo(Blobs.Of(i, 14_000)));
        await AssertConsistentAsync(store);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Files_that_a_flush_failed_for_are_believed_by_no_later_run(bool isFailedBeforeTheEnd)
    {
        byte[] data = Blobs.Of(0, 14_000);
        var digest = Blobs.DigestOf(data);
        await using (var store = await OpenAsync(segmentBytes: SmallSegment, disk: new CountingDisk { Fault = Errno.EIO }))
        {
            if (isFailedBeforeTheEnd) await FillSegmentAsync(store);
            else await store.PutAsync(data);
            await store.Keeper.IdleAsync();
            Assert.That(Segments.Has(store, digest), Is.False, "it is read from its file");
        }

        // The kernel has called its pages clean, so that a second flush succeeds; what is on the disk is something else.
        File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(FileOf(digest), new byte[data.Length]);

        await using var again = await OpenAsync(segmentBytes: SmallSegment);
        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));
        await again.Keeper.IdleAsync();
        Assert.That(File.ReadAllBytes(FileOf(digest)), Is.EqualTo(data));
        await AssertConsistentAsync(again);
    }

    [TestCase("gone")]
    [TestCase("cut short")]
    [TestCase("zeros")]
    public async Task A_file_that_a_loss_of_power_took_is_made_again_of_its_record(string damage)
    {
        byte[] data = Blobs.Of(1, 14_000);
        var digest = Blobs.DigestOf(data);
        // A disk that does not flush files in the end, as when the power fails.
        await using (var store = await OpenAsync(disk: new CountingDisk { Fault = Errno.EIO }))
        {
            await store.PutAsync(data);
            await store.Keeper.IdleAsync();
        }

        string file = FileOf(digest);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        if (damage == "gone") File.Delete(file);
        else File.WriteAllBytes(file, new byte[damage == "zeros" ? data.Length : 0]);
        File.Delete(Path.Combine(StoreDirectory, "uses"));

        await using var again = await OpenAsync();
        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));
        await again.Keeper.IdleAsync();
        Assert.That(File.ReadAllBytes(FileOf(digest)), Is.EqualTo(data));
        await AssertConsistentAsync(again);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Of_a_record_that_rots_the_file_counts_if_it_is_good(bool isFileGood)
    {
        byte[] data = Blobs.Of(1, 14_000);
        var digest = Blobs.DigestOf(data);
        await using (var store = await OpenAsync(segmentBytes: 14_000, disk: new CountingDisk { Fault = Errno.EIO }))
        {
            await store.PutAsync(data);
            await store.PutAsync(Blobs.Of(2, 14_000));
            await store.Keeper.IdleAsync();
        }

        using (var segment = new FileStream(Segments.PathOf(StoreDirectory, 1), FileMode.Open, FileAccess.ReadWrite))
        {
            segment.Position = 1000;
            segment.Write(new byte[100]);
        }

        if (!isFileGood)
        {
            File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.WriteAllBytes(FileOf(digest), new byte[data.Length]);
        }

        File.Delete(Path.Combine(StoreDirectory, "uses"));
        await using var again = await OpenAsync(segmentBytes: 14_000);
        Assert.That(await again.GetAsync(digest), isFileGood ? Is.EqualTo(data) : Is.Null);
        await AssertConsistentAsync(again);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Of_a_record_that_rots_while_it_is_in_use_the_linked_file_counts_if_it_is_good(bool isFileGood)
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = Blobs.DigestOf(data);
        await using (var store = await OpenAsync())
        {
            await store.PutAsync(data);
            Assert.That(await store.TryLinkAsync(digest, true, Scratch.Sub("f"), default), Is.True);
            if (!isFileGood)
            {
                File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
                File.WriteAllBytes(FileOf(digest), new byte[data.Length]);
            }

            using (var segment = new FileStream(Segments.PathOf(StoreDirectory, 1), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
            {
                segment.Position = 500;
                segment.Write(new byte[100]);
            }

            Assert.That(await store.GetAsync(digest), isFileGood ? Is.EqualTo(data) : Is.Null);
            Assert.That(await store.FindMissingAsync([digest], default), Has.Count.EqualTo(isFileGood ? 0 : 1));
            await AssertConsistentAsync(store);
        }

        await using var again = await OpenAsync();
        Assert.That(await again.GetAsync(digest), isFileGood ? Is.EqualTo(data) : Is.Null);
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task A_link_that_is_wanted_before_the_file_is_there_makes_it()
    {
        await using var store = await OpenAsync();
        var wanted = Enumerable.Range(0, 200).Select(i => Blobs.Of(i, 5000 + i)).ToList();
        await store.WriteManyAsync([.. wanted.Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data))], default);

        var links = wanted.Select((data, i) => new BlobLink(Blobs.DigestOf(data), Executable: i % 2 == 0, Scratch.Sub($"f{i}"))).ToList();
        Assert.That(await store.LinkManyAsync(links, default), Is.Empty);

        for (int i = 0; i < wanted.Count; i++) Assert.That(File.ReadAllBytes(links[i].Path), Is.EqualTo(wanted[i]));
        await AssertConsistentAsync(store);
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(wanted.Select((data, i) => (long)data.Length * (i % 2 == 0 ? 1 : 2)).Sum()));
    }

    [TestCase(1000, true)]
    [TestCase(1000, false)]
    [TestCase(14_000, true)]
    [TestCase(14_000, false)]
    public async Task A_file_that_cannot_be_given_its_name_costs_no_blob_that_is_in_a_segment(int sizeBytes, bool executable)
    {
        await using var store = await OpenAsync();
        // No name can be made in a directory that is gone; a full disk says so, too.
        foreach (string shard in Directory.GetDirectories(Path.Combine(StoreDirectory, "blobs"))) Directory.Delete(shard);
        byte[] data = Blobs.Of(1, sizeBytes);
        var digest = await store.PutAsync(data);

        Assert.That(await store.TryLinkAsync(digest, executable, Scratch.Sub("f"), default), Is.True);

        Assert.That(File.ReadAllBytes(Scratch.Sub("f")), Is.EqualTo(data));
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [TestCase(1000, true)]
    [TestCase(1000, false)]
    [TestCase(14_000, true)]
    [TestCase(14_000, false)]
    public async Task A_store_without_room_for_a_file_gives_its_blobs_to_disks_that_have_some(int sizeBytes, bool executable)
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=16m");
        await using var store = await OpenAsync(directory: mount.Path);
        await store.PutAsync(Blobs.Of(1, 100));
        mount.Fill();
        byte[] data = Blobs.Of(2, sizeBytes);
        var digest = await store.PutAsync(data); // into what its segment has ahead

        Assert.That(await store.TryLinkAsync(digest, executable, Scratch.Sub("f"), default), Is.True);

        Assert.That(File.ReadAllBytes(Scratch.Sub("f")), Is.EqualTo(data));
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_directory_that_is_gone_before_the_link_costs_no_blob()
    {
        string root = Directory.CreateDirectory(Scratch.Sub("root")).FullName;
        var disk = new CountingDisk();
        await using var store = await OpenAsync(disk: disk);
        var digest = await store.PutAsync(Blobs.Of(1, 1000));
        // The action was cancelled while its inputs were being linked.
        disk.Reading = () => Directory.Delete(root);

        var failed = Assert.ThrowsAsync<RpcException>(async () => await store.TryLinkAsync(digest, true, Path.Combine(root, "f"), default));

        disk.Reading = null;
        Assert.That(failed!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(await store.GetAsync(digest), Is.EqualTo(Blobs.Of(1, 1000)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Files_that_fit_nowhere_wait_in_their_segment()
    {
        using var mount = Mount.Tmpfs(Scratch.Sub("full"), "size=4m,nr_inodes=40");
        await using var store = await OpenAsync(directory: mount.Path);
        var digests = new List<Digest>();
        var statuses = await store.WriteManyAsync([.. Enumerable.Range(0, 60).Select(i => Blobs.Of(i, 5000)).Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data))], default);
        Assert.That(statuses.Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.OK));
        await store.Keeper.IdleAsync();

        for (int i = 0; i < 60; i++) Assert.That(await store.GetAsync(Blobs.DigestOf(Blobs.Of(i, 5000))), Is.EqualTo(Blobs.Of(i, 5000)));
        Assert.That(BlobFilesIn(mount.Path), Has.Count.LessThan(60));
        await AssertConsistentAsync(store);
    }

    /// <summary>One segment of blobs that become files, and one of another that stays there.</summary>
    private static async Task FillSegmentAsync(DiskBlobStore store)
    {
        // In one call: the first failure of a flush changes where later ones go.
        await store.WriteManyAsync([.. Enumerable.Range(0, 20).Select(i => Blobs.Of(i, 14_000)).Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data))], default);
        await store.PutAsync(Blobs.Of(20, 100));
        await store.Keeper.IdleAsync();
    }

    /// <summary>Flushes files as told, and counts the flushes of all.</summary>
    private sealed class CountingDisk : IDisk
    {
        private readonly Disk _disk = new();

        /// <summary>The errno of a flush of the file system.</summary>
        public int Fault { get; init; }

        public int FileSystemFlushes { get; private set; }

        /// <summary>Called before each reading.</summary>
        public Action? Reading { get; set; }

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int FlushFileSystem(SafeFileHandle fileOrDirectory)
        {
            FileSystemFlushes++;
            return Fault;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            Reading?.Invoke();
            return _disk.Read(file, buffer, offset);
        }
    }
}
