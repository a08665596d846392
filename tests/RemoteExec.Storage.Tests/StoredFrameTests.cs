using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Blobs that are stored as zstd frames.</summary>
public sealed class StoredFrameTests : DiskFixture
{
    private const int BlobBytes = 1_000_003;

    // More than is decompressed for nothing.
    private const int LargeBytes = 6_000_001;

    [Test]
    public async Task What_becomes_smaller_takes_the_room_of_its_frame_whatever_later_runs_want()
    {
        byte[] data = Lines(1, BlobBytes);
        var digest = Blobs.DigestOf(data);
        long usedBytes;
        await using (var store = await OpenAsync(compressesAtRest: true))
        {
            await store.PutAsync(data);
            usedBytes = store.Usage.UsedBytes;
            Assert.That(usedBytes, Is.EqualTo(FrameOf(digest).Length).And.LessThan(BlobBytes / 2));
            Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
            await AssertConsistentAsync(store);
        }

        foreach (bool isWanted in new[] { false, true })
        {
            await using var again = await OpenAsync(compressesAtRest: isWanted);
            Assert.That(again.Usage.UsedBytes, Is.EqualTo(usedBytes));
            Assert.That(await again.GetAsync(digest), Is.EqualTo(data));
            await AssertConsistentAsync(again);
        }
    }

    [TestCase(0)]
    [TestCase(100_000)] // begins as if it were worth it
    public async Task What_does_not_become_smaller_is_a_file(int linesBytes)
    {
        byte[] data = [.. Lines(1, linesBytes), .. Blobs.Of(1, BlobBytes)];
        await using var store = await OpenAsync(compressesAtRest: true);

        var digest = await store.PutAsync(data);

        Assert.That(File.ReadAllBytes(FileOf(digest)), Is.EqualTo(data));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(data.Length));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_blob_that_segments_take_is_not_compressed()
    {
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(Lines(1, 100_000));
        await store.Keeper.IdleAsync();

        Assert.That(new FileInfo(FileOf(digest)).Length, Is.EqualTo(100_000));
    }

    [Test]
    public async Task A_reader_gives_the_frame_out_as_it_is_stored()
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(data);

        Assert.That(await ReadFrameAsync(store, digest, 0), Is.EqualTo(File.ReadAllBytes(FrameOf(digest).FullName)));
        Assert.That(Zstd.Decompress(await ReadFrameAsync(store, digest, 0) ?? [], BlobBytes), Is.EqualTo(data));
        Assert.That(await ReadFrameAsync(store, digest, 1), Is.Null);

        Assert.That(await store.TryLinkAsync(digest, true, Scratch.Sub("f"), default), Is.True);
        Assert.That(await ReadFrameAsync(store, digest, 0), Is.Not.Null, "also when it is plain besides");
    }

    [TestCase(1)]
    [TestCase(BlobBytes - 1)]
    [TestCase(BlobBytes)]
    public async Task An_offset_counts_bytes_of_the_blob(int offset)
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(data);

        Assert.That(await ReadAsync(store, digest, offset), Is.EqualTo(data[offset..]));

        Assert.That(store.Usage.UsedBytes, Is.EqualTo(FrameOf(digest).Length));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task What_is_read_from_far_behind_its_beginning_is_plain_from_then_on_and_goes_with_its_frame()
    {
        byte[] data = Lines(1, LargeBytes);
        await using var store = await OpenAsync(limitBytes: 2 * LargeBytes, compressesAtRest: true);
        var digest = await store.PutAsync(data);

        for (int i = 0; i < 2; i++) Assert.That(await ReadAsync(store, digest, LargeBytes - 10), Is.EqualTo(data[^10..]));

        Assert.That(store.Usage.UsedBytes, Is.EqualTo(LargeBytes + FrameOf(digest).Length));
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
        Time.Advance(Retention);
        await store.PutAsync(Blobs.Of(1, 2 * LargeBytes));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(2 * LargeBytes));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Without_room_for_that_it_is_decompressed_from_its_beginning()
    {
        byte[] data = Lines(1, LargeBytes);
        await using var store = await OpenAsync(limitBytes: LargeBytes, compressesAtRest: true);
        var digest = await store.PutAsync(data);

        Assert.That(await ReadAsync(store, digest, LargeBytes - 10), Is.EqualTo(data[^10..]));

        await AssertConsistentAsync(store);
    }

    [TestCase(true, false)]
    [TestCase(false, false)]
    [TestCase(true, true)]
    public async Task Who_links_it_gets_the_plain_file(bool executable, bool isCopy)
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(data);

        Assert.That(await store.LinkManyAsync([new BlobLink(digest, executable, Scratch.Sub("f")) { IsCopy = isCopy }], default), Is.Empty);

        Assert.That(File.ReadAllBytes(Scratch.Sub("f")), Is.EqualTo(data));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(FrameOf(digest).Length + (isCopy ? 0 : BlobBytes)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_batch_gets_the_blob()
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var statuses = await store.WriteManyAsync([(Blobs.DigestOf(data), data)], default);
        Assert.That(statuses.Single().StatusCode, Is.EqualTo(StatusCode.OK));
        Assert.That(FrameOf(Blobs.DigestOf(data)).Exists, Is.True);

        var batch = new Batch();
        await store.ReadManyAsync([Blobs.DigestOf(data)], batch, default);

        Assert.That(batch.Data, Is.EqualTo(data));
    }

    [TestCase("a bit")]
    [TestCase("the end")]
    [TestCase("the end, and its length with it")]
    [TestCase("something behind it")]
    [TestCase("all")]
    public async Task A_frame_that_the_disk_has_altered_is_a_miss_and_its_end_is_not_given_out(string what)
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(data);
        Alter(FrameOf(digest).FullName, what);

        byte[]? read = null;
        try
        {
            read = await store.GetAsync(digest);
        }
        catch (RpcException failed)
        {
            Assert.That(failed.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        }

        Assert.That(read, Is.Null);
        Assert.That(await store.HasAsync(digest), Is.False);
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
        await store.PutAsync(data);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task The_scrub_reads_frames(bool isGood)
    {
        var news = new ScrubberTests.ScrubNews();
        await using var store = await OpenAsync(compressesAtRest: true, observer: news);
        var digest = await store.PutAsync(Lines(1, BlobBytes));
        long frameBytes = FrameOf(digest).Length;
        if (!isGood) Alter(FrameOf(digest).FullName, "a bit");

        await using (new Scrubber(store, 1L << 30, Time)) await Time.WaitForTimerAsync(TimeSpan.FromHours(24));

        Assert.That(await store.HasAsync(digest), Is.EqualTo(isGood));
        Assert.That(news.Corruptions, Is.EqualTo(isGood ? 0 : 1));
        if (isGood) Assert.That(news.ScrubbedBytes, Is.EqualTo(frameBytes));
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task After_a_loss_of_power_a_frame_is_hashed_and_what_was_made_of_it_is_made_again(bool isGood)
    {
        byte[] data = Lines(1, BlobBytes);
        var digest = Blobs.DigestOf(data);
        await using (var store = await OpenAsync(compressesAtRest: true))
        {
            await store.PutAsync(data);
            Assert.That(await store.TryLinkAsync(digest, true, Scratch.Sub("f"), default), Is.True);
        }

        File.Delete(Path.Combine(StoreDirectory, "uses"));
        File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(FileOf(digest), new byte[BlobBytes]);
        if (!isGood) Alter(FrameOf(digest).FullName, "all");
        await using var again = await OpenAsync(compressesAtRest: true);
        Assert.That(again.Usage.UsedBytes, Is.EqualTo(FrameOf(digest).Length));

        Assert.That(await again.TryLinkAsync(digest, true, Scratch.Sub("g"), default), Is.EqualTo(isGood));

        if (isGood) Assert.That(File.ReadAllBytes(Scratch.Sub("g")), Is.EqualTo(data));
        Assert.That(again.Index.UnsureCount, Is.Zero);
        await AssertConsistentAsync(again);
    }

    [Test]
    public async Task Many_who_upload_the_same_leave_one_frame()
    {
        byte[] data = Lines(1, BlobBytes);
        await using var store = await OpenAsync(compressesAtRest: true);
        var writers = new List<IBlobWriter>();
        for (int i = 0; i < 4; i++) writers.Add(await store.CreateWriterAsync(Blobs.DigestOf(data), default));

        await Task.WhenAll(writers.Select(async (writer, i) =>
        {
            int piece = 10_000 * (i + 1); // each its own, which frames may differ by
            for (int start = 0; start < data.Length; start += piece) await writer.AppendAsync(data.AsMemory(start, Math.Min(piece, data.Length - start)), default);
            await writer.CommitAsync(default);
            await writer.DisposeAsync();
        }));

        Assert.That(BlobFilesIn(StoreDirectory), Has.Count.EqualTo(1));
        Assert.That(await store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task An_upload_that_is_not_what_it_says_leaves_nothing()
    {
        byte[] data = Lines(1, BlobBytes);
        var digest = Blobs.DigestOf(data);
        data[^1] ^= 1;
        await using var store = await OpenAsync(compressesAtRest: true);

        Assert.That(async () => await store.WriteAllAsync(digest, data, default), Throws.InstanceOf<RpcException>());

        Assert.That(BlobFilesIn(StoreDirectory), Is.Empty);
        await AssertConsistentAsync(store);
    }

    private static byte[] Lines(int seed, int bytes)
    {
        var random = new Random(seed);
        byte[] lines = new byte[bytes];
        for (int i = 0; i < bytes; i++) lines[i] = (byte)(i % 4 == 0 ? random.Next('a', 'z') : ' ');
        return lines;
    }

    private FileInfo FrameOf(in Digest digest) =>
        new(Directory.EnumerateFiles(Path.Combine(StoreDirectory, "blobs"), BlobFiles.NameOf(digest) + ".*.zst", SearchOption.AllDirectories).Single());

    private static void Alter(string path, string what)
    {
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        byte[] bytes = File.ReadAllBytes(path);
        switch (what)
        {
            case "a bit": bytes[bytes.Length / 2] ^= 1; break;
            case "the end": bytes.AsSpan(bytes.Length - 4).Clear(); break; // the checksum
            case "the end, and its length with it": bytes = bytes[..^10]; break;
            case "something behind it": bytes = [.. bytes, 0]; break;
            default: bytes.AsSpan().Clear(); break;
        }

        File.WriteAllBytes(path, bytes);
    }

    private static async Task<byte[]> ReadAsync(DiskBlobStore store, Digest digest, long offset)
    {
        await using var reader = await store.OpenReadAsync(digest, offset, default);
        var read = new MemoryStream();
        await reader!.ReadToAsync(read, hasher: null, default);
        return read.ToArray();
    }

    /// <summary>Null when the reader has none.</summary>
    private static async Task<byte[]?> ReadFrameAsync(DiskBlobStore store, Digest digest, long offset)
    {
        await using var reader = await store.OpenReadAsync(digest, offset, default);
        if (reader is not IStoredFrame { Frame: { } frame }) return null;

        var read = new MemoryStream();
        await frame.ReadToAsync(read, hasher: null, default);
        return read.ToArray();
    }

    private sealed class Batch : IBlobReceiver
    {
        public byte[]? Data { get; private set; }

        public void Found(int index, ReadOnlySpan<byte> data) => Data = data.ToArray();

        public void Missing(int index) => Data = null;

        public void Failed(int index, Exception failure) => throw failure;
    }
}
