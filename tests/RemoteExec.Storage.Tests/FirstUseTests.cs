using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Files that a loss of power took, on a disk that had said that they were safe.</summary>
public sealed class FirstUseTests : FirstUseFixture
{
    [TestCase("read")]
    [TestCase("read from an offset")]
    [TestCase("read in a batch")]
    [TestCase("linked")]
    [TestCase("linked without the executable bit")]
    [TestCase("copied")]
    [TestCase("part of a hit")]
    public async Task A_file_of_zeros_reaches_nobody_and_is_a_miss(string use)
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        var digest = await LoseAsync(data);
        var news = new CorruptionNews();
        await using var store = await OpenAsync(observer: news);
        Assert.That(store.Usage.Blobs, Is.EqualTo(1), "it looks as if it were there");

        Assert.That(await IsUsableAsync(store, digest, use), Is.False);

        Assert.That(await store.HasAsync(digest), Is.False);
        Assert.That(news.Corruptions, Is.EqualTo(1));
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
        await store.PutAsync(data);
        Assert.That(await IsUsableAsync(store, digest, use), Is.True);
    }

    [Test]
    public async Task A_good_file_is_hashed_once_and_then_believed()
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(data);
        LosePower();
        await using var again = await OpenAsync();
        Assert.That(again.Index.UnsureCount, Is.EqualTo(1));

        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));

        Assert.That(again.Index.UnsureCount, Is.Zero);
        Zero(digest);
        Assert.That(await again.GetAsync(digest), Is.EqualTo(new byte[BlobBytes]), "not hashed again");
    }

    [Test]
    public async Task Of_a_large_one_that_is_bad_the_end_is_not_given_out()
    {
        const int ReadBytes = 1000;
        var digest = await LoseAsync(Blobs.Of(1, BlobBytes));
        await using var store = await OpenAsync(readTwiceBytesMax: BlobBytes - 1);

        await using var reader = await store.OpenToEndAsync(digest, 0, default);
        byte[] piece = new byte[ReadBytes];
        for (int i = 1; i < BlobBytes / ReadBytes; i++) Assert.That(await reader!.ReadAsync(piece, default), Is.EqualTo(ReadBytes));
        var refused = Assert.ThrowsAsync<RpcException>(async () => await reader!.ReadAsync(piece, default));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.Unavailable), "so that its client tries again, and finds a miss");
        Assert.That(await store.HasAsync(digest), Is.False);
    }

    [Test]
    public async Task Of_a_large_one_that_is_bad_nobody_gets_the_beginning_alone()
    {
        var digest = await LoseAsync(Blobs.Of(1, BlobBytes));
        await using var store = await OpenAsync(readTwiceBytesMax: BlobBytes - 1);

        Assert.That(await store.OpenReadAsync(digest, 0, default), Is.Null, "the reader may end before its end, where it would be found out");

        Assert.That(await store.HasAsync(digest), Is.False);
    }

    [Test]
    public async Task A_large_one_that_is_good_is_read_once()
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(data);
        LosePower();
        var disk = new MeteredDisk();
        await using var again = await OpenAsync(disk: disk, readTwiceBytesMax: BlobBytes - 1);

        long before = disk.ReadBytes;
        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));

        Assert.That(disk.ReadBytes - before, Is.EqualTo(BlobBytes + 1), "and its first byte when it was opened");
        Assert.That(again.Index.UnsureCount, Is.Zero);
    }

    [Test]
    public async Task What_nobody_used_is_unsure_after_the_next_restart_too()
    {
        var digest = await LoseAsync(Blobs.Of(1, BlobBytes));
        await using (var unused = await OpenAsync()) Assert.That(unused.Index.UnsureCount, Is.EqualTo(1));
        await using var store = await OpenAsync();

        Assert.That(await store.GetAsync(digest), Is.Null);
    }

    [Test]
    public async Task Where_that_cannot_be_noted_the_next_run_finds_out_by_itself()
    {
        var digest = await LoseAsync(Blobs.Of(1, BlobBytes));
        Directory.CreateDirectory(NotePath); // no file can be made there
        await using (var unused = await OpenAsync()) Assert.That(unused.Index.UnsureCount, Is.EqualTo(1));
        await using var store = await OpenAsync();

        Assert.That(await store.GetAsync(digest), Is.Null);
    }

    [Test]
    public async Task That_is_noted_durably()
    {
        await LoseAsync(Blobs.Of(1, BlobBytes));
        var disk = new MeteredDisk();
        await using var store = await OpenAsync(disk: disk);

        Assert.That(disk.FlushedPaths, Does.Contain(NotePath));
        Assert.That(disk.FlushedPaths.LastIndexOf(StoreDirectory), Is.GreaterThan(disk.FlushedPaths.IndexOf(NotePath)), "and its name");
    }

    [Test]
    public async Task Once_all_were_read_later_runs_believe_in_them()
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(Blobs.Of(1, BlobBytes));
        LosePower();
        await using (var store = await OpenAsync())
        {
            Assert.That(File.Exists(NotePath), Is.True);
            await store.GetAsync(digest);
        }

        await using var again = await OpenAsync();
        Assert.That(File.Exists(NotePath), Is.False);
        Assert.That(again.Index.UnsureCount, Is.Zero);
    }

    [Test]
    public async Task A_hit_hashes_so_much_and_no_more()
    {
        const int LargeBytes = 5 << 20;
        byte[] large = Blobs.Of(1, LargeBytes), small = Blobs.Of(2, BlobBytes);
        await using (var store = await OpenAsync())
        {
            await store.PutAsync(large);
            await store.PutAsync(small);
        }

        LosePower();
        await using var again = await OpenAsync();

        await again.FindMissingAsync([Blobs.DigestOf(large), Blobs.DigestOf(small)], PromiseKind.Hit, default);

        Assert.That(again.Index.IsUnsure(Blobs.DigestOf(large)), Is.True);
        Assert.That(again.Index.IsUnsure(Blobs.DigestOf(small)), Is.False);
    }

    [TestCase(0)]
    [TestCase(Errno.EIO)]
    public async Task Files_that_were_made_to_be_linked_are_flushed_at_the_end_or_not_believed(int fault)
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        var digest = Blobs.DigestOf(data);
        var disk = new MeteredDisk { FileSystemFault = fault };
        await using (var store = await OpenAsync(disk: disk))
        {
            await store.PutAsync(data);
            Assert.That(await store.TryLinkAsync(digest, executable: false, Scratch.Sub("f0"), default), Is.True);
        }

        Assert.That(disk.FileSystemFlushes, Is.EqualTo(1));
        if (fault != 0) ZeroFile(FileOf(digest) + ".data");
        await using var again = await OpenAsync();
        Assert.That(await again.TryLinkAsync(digest, executable: false, Scratch.Sub("f1"), default), Is.True);
        Assert.That(File.ReadAllBytes(Scratch.Sub("f1")), Is.EqualTo(data));
    }

    [Test]
    public async Task Files_that_a_killed_run_made_to_be_linked_are_flushed_at_the_end_of_the_next()
    {
        string uses = Path.Combine(StoreDirectory, "uses"), asKilled = Scratch.Sub("uses");
        await using (var killed = await OpenAsync())
        {
            var digest = await killed.PutAsync(Blobs.Of(1, BlobBytes));
            Assert.That(await killed.TryLinkAsync(digest, executable: false, Scratch.Sub("f"), default), Is.True);
            File.Copy(uses, asKilled);
        }

        File.Copy(asKilled, uses, overwrite: true); // the end is not in it
        foreach (int flushes in (int[])[1, 0])
        {
            var disk = new MeteredDisk();
            await using (await OpenAsync(disk: disk)) Assert.That(File.Exists(NotePath), Is.False, "the kernel has what a killed process wrote");
            Assert.That(disk.FileSystemFlushes, Is.EqualTo(flushes));
        }
    }

    [Test]
    public async Task A_use_is_never_in_the_future()
    {
        await using var store = await OpenAsync();
        Time.Advance(TimeSpan.FromMilliseconds(100)); // uses are recorded by the second

        var digest = await store.PutAsync(Blobs.Of(1, BlobBytes));

        Assert.That(store.UnusedFor(digest), Is.EqualTo(TimeSpan.Zero));
        Assert.That(store.Usage.OldestUse, Is.EqualTo(Time.GetUtcNow()));
    }

    private static async Task<bool> IsUsableAsync(DiskBlobStore store, Digest digest, string use)
    {
        string path = Path.Combine(store.Files.Root, "link"); // on the same file system
        switch (use)
        {
            case "read": return await store.GetAsync(digest) is not null;
            case "read from an offset":
                await using (var reader = await store.OpenReadAsync(digest, 5000, default)) return reader is not null;
            case "read in a batch":
                var batch = new Batch();
                await store.ReadManyAsync([digest], batch, default);
                return batch.IsFound;
            case "linked": return await store.TryLinkAsync(digest, executable: true, path, default);
            case "linked without the executable bit": return await store.TryLinkAsync(digest, executable: false, path, default);
            case "copied": return (await store.LinkManyAsync([new BlobLink(digest, true, path) { IsCopy = true }], default)).Count == 0;
            default: return (await store.FindMissingAsync([digest], PromiseKind.Hit, default)).Count == 0;
        }
    }

    private sealed class Batch : IBlobReceiver
    {
        public bool IsFound { get; private set; }

        public void Found(int index, ReadOnlySpan<byte> data) => IsFound = true;

        public void Missing(int index) => IsFound = false;

        public void Failed(int index, Exception failure) => throw failure;
    }
}
