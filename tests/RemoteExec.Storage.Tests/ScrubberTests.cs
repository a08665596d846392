using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class ScrubberTests : DiskFixture
{
    private const int BlobBytes = 5000;
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private protected override bool IsPacked => false;

    [Test]
    public async Task A_file_that_the_disk_has_altered_is_put_aside_and_a_miss_and_nothing_is_promised_by_it()
    {
        var news = new ScrubNews();
        await using var store = await OpenAsync(observer: news);
        var digests = new List<Digest>();
        for (int i = 0; i < 3; i++) digests.Add(await TakeAsync(store, Blobs.Of(i, BlobBytes), $"file{i}"));
        await AlterAsync(FileOf(digests[1]));
        var before = store.Usage;

        Time.Advance(TimeSpan.FromMinutes(1));
        await using (var scrubber = new Scrubber(store, BlobBytes, Time))
        {
            for (int second = 1; second <= digests.Count; second++)
            {
                await Time.WaitForTimerAsync(Second);
                Assert.That(news.ScrubbedBytes, Is.EqualTo(second * BlobBytes), "and no more in a second");
                Time.Advance(Second);
            }

            // The pass is over; the next one is tomorrow's.
            await Time.WaitForTimerAsync(TimeSpan.FromHours(23), TimeSpan.FromHours(24));
        }

        Assert.That(news.Corruptions, Is.EqualTo(1));
        Assert.That((store.Usage.Blobs, store.Usage.OldestUse), Is.EqualTo((before.Blobs - 1, before.OldestUse)));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(before.UsedBytes - BlobBytes));
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Has.Length.EqualTo(1));
        Assert.That(await store.FindMissingAsync(digests, default), Is.EqualTo(new[] { digests[1] }));
    }

    [Test]
    public async Task Of_a_blob_that_has_a_good_one_besides_a_bad_file_goes_alone()
    {
        var news = new ScrubNews();
        await using var store = await OpenAsync(observer: news);
        var digest = await TakeAsync(store, Blobs.Of(1, BlobBytes), "file");
        Assert.That(await store.TryLinkAsync(digest, executable: false, Scratch.Sub("link"), default), Is.True);
        await AlterAsync(FileOf(digest) + ".data");

        await ScrubAsync(store, news, 2 * BlobBytes);

        Assert.That(news.Corruptions, Is.EqualTo(1));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(BlobBytes));
        Assert.That(await store.TryLinkAsync(digest, executable: false, Scratch.Sub("again"), default), Is.True);
        Assert.That(await File.ReadAllBytesAsync(Scratch.Sub("again")), Is.EqualTo(Blobs.Of(1, BlobBytes)));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task After_a_loss_of_power_it_finds_out_what_can_be_believed()
    {
        Digest digest;
        await using (var store = await OpenAsync()) digest = await TakeAsync(store, Blobs.Of(1, BlobBytes), "file");
        File.Delete(Path.Combine(StoreDirectory, "uses"));
        var news = new ScrubNews();
        await using var again = await OpenAsync(observer: news);
        Assert.That(again.Index.IsUnsure(digest), Is.True);

        await ScrubAsync(again, news, BlobBytes);

        Assert.That(again.Index.IsUnsure(digest), Is.False);
    }

    [TestCase("altered")]
    [TestCase("gone")]
    public async Task What_was_stored_anew_while_it_read_the_bad_file_stays(string what)
    {
        const int PieceBytes = 256 << 10;
        var news = new ScrubNews();
        await using var store = await OpenAsync(observer: news);
        byte[] data = Blobs.Of(1, 2 * PieceBytes);
        var digest = await TakeAsync(store, data, "file");
        await AlterAsync(FileOf(digest));

        await using (var scrubber = new Scrubber(store, PieceBytes, Time))
        {
            await Time.WaitForTimerAsync(Second);
            // It has read the half of it. Meanwhile somebody else finds out, and the client brings the blob again.
            if (what == "altered") store.PutAside(digest);
            else File.Delete(FileOf(digest));
            if (what == "gone") Assert.That(await store.GetAsync(digest), Is.Null);
            await store.PutAsync(data);
            Time.Advance(Second);
            await Time.WaitForTimerAsync(Second);
            Time.Advance(Second);
            await Time.WaitForTimerAsync(TimeSpan.FromHours(23), TimeSpan.FromHours(24)); // the pass is over
        }

        Assert.That(await store.HasAsync(digest), Is.True);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(news.Corruptions, Is.EqualTo(1));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task At_the_rate_of_nothing_nothing_is_read()
    {
        var news = new ScrubNews();
        await using var store = await OpenAsync(observer: news);
        await TakeAsync(store, Blobs.Of(1, BlobBytes), "file");

        await using (new Scrubber(store, bytesPerSecond: 0, Time)) { }

        Assert.That(news.ScrubbedBytes, Is.Zero);
    }

    /// <summary>One pass, which reads so much.</summary>
    private async Task ScrubAsync(DiskBlobStore store, ScrubNews news, long bytes)
    {
        await using var scrubber = new Scrubber(store, 1L << 30, Time);
        await Time.WaitForTimerAsync(TimeSpan.FromHours(24)); // the pass is over
        Assert.That(news.ScrubbedBytes, Is.EqualTo(bytes));
    }

    private async Task<Digest> TakeAsync(DiskBlobStore store, byte[] data, string name)
    {
        string path = Scratch.Sub(name);
        await File.WriteAllBytesAsync(path, data);
        using var file = File.OpenHandle(path);
        return await store.TakeFileAsync(DigestFunction.Sha256, file, default);
    }

    private static async Task AlterAsync(string path)
    {
        byte[] bytes = await File.ReadAllBytesAsync(path);
        bytes[^1] ^= 1;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(path, bytes);
    }

    internal sealed class ScrubNews : IBlobStoreObserver
    {
        private long _scrubbedBytes;
        private int _corrupted;

        public long ScrubbedBytes => Interlocked.Read(ref _scrubbedBytes);

        public int Corruptions => Volatile.Read(ref _corrupted);

        public void Scrubbed(long bytes) => Interlocked.Add(ref _scrubbedBytes, bytes);

        public void Corrupted() => Interlocked.Increment(ref _corrupted);
    }
}
