using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What the scrub finds in segments.</summary>
public sealed class ScrubbedRecordTests : DiskFixture
{
    private const int BlobBytes = 1000;

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_record_that_the_disk_has_altered_is_a_miss_unless_there_is_a_file_besides(bool isLinked)
    {
        var news = new ScrubberTests.ScrubNews();
        await using var store = await OpenAsync(observer: news);
        var first = await store.PutAsync(Blobs.Of(1, BlobBytes));
        var second = await store.PutAsync(Blobs.Of(2, BlobBytes));
        if (isLinked) Assert.That(await store.TryLinkAsync(first, true, Scratch.Sub("f"), default), Is.True);
        using (var segment = new FileStream(Segments.PathOf(StoreDirectory, 1), FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete))
        {
            segment.Position = 500;
            segment.Write(new byte[100]);
        }

        await ScrubAsync(store);

        Assert.That(news.Corruptions, Is.EqualTo(1));
        Assert.That(await store.FindMissingAsync([first, second], default), isLinked ? Is.Empty : Is.EqualTo(new[] { first }));
        Assert.That(news.ScrubbedBytes, Is.EqualTo(BlobBytes * (isLinked ? 2 : 1)), "what could be read");
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_linked_file_that_is_bad_goes_and_is_made_anew_of_its_record()
    {
        var news = new ScrubberTests.ScrubNews();
        await using var store = await OpenAsync(observer: news);
        byte[] data = Blobs.Of(1, BlobBytes);
        var digest = await store.PutAsync(data);
        Assert.That(await store.TryLinkAsync(digest, true, Scratch.Sub("f"), default), Is.True);
        File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(FileOf(digest), new byte[BlobBytes]);

        await ScrubAsync(store);

        Assert.That(news.Corruptions, Is.EqualTo(1));
        Assert.That(await store.TryLinkAsync(digest, true, Scratch.Sub("g"), default), Is.True);
        Assert.That(await File.ReadAllBytesAsync(Scratch.Sub("g")), Is.EqualTo(data));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task Records_are_read_at_the_same_rate_and_each_costs_as_much_as_a_page()
    {
        const int PageBytes = 4096;
        var news = new ScrubberTests.ScrubNews();
        await using var store = await OpenAsync(observer: news);
        for (int i = 0; i < 3; i++) await store.PutAsync(Blobs.Of(i, BlobBytes));
        var second = TimeSpan.FromSeconds(1);

        await using var scrubber = new Scrubber(store, PageBytes, Time);

        for (int i = 1; i <= 3; i++)
        {
            await Time.WaitForTimerAsync(second);
            Assert.That(news.ScrubbedBytes, Is.EqualTo(i * BlobBytes));
            Time.Advance(second);
        }
    }

    private async Task ScrubAsync(DiskBlobStore store)
    {
        await using var scrubber = new Scrubber(store, 1L << 30, Time);
        await Time.WaitForTimerAsync(TimeSpan.FromHours(24)); // the pass is over
    }
}
