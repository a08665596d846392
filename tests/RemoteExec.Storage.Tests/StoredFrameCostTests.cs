using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What blobs that are stored as zstd frames cost those who read others, and what they count.</summary>
public sealed class StoredFrameCostTests : DiskFixture
{
    [Test]
    public async Task A_frame_counts_a_part_of_its_blob_at_least_also_after_a_restart()
    {
        byte[] zeros = new byte[6_400_000];
        await using (var store = await OpenAsync(compressesAtRest: true))
        {
            await store.PutAsync(zeros);
            Assert.That(store.Usage.UsedBytes, Is.EqualTo(100_000));
            Assert.That(store.Usage.ReservedBytes, Is.Zero);
            Assert.That(BlobFilesIn(StoreDirectory).Single().Length, Is.LessThan(10_000));
        }

        await using var again = await OpenAsync();
        Assert.That(again.Usage.UsedBytes, Is.EqualTo(100_000));
    }

    [Test]
    public async Task The_scrub_is_paid_for_what_it_decompresses_however_small_the_frame()
    {
        const int WaitsPerSecond = 4, Rate = 256 << 10;
        var wait = TimeSpan.FromSeconds(1) / WaitsPerSecond;
        var news = new ScrubberTests.ScrubNews();
        await using var store = await OpenAsync(compressesAtRest: true, observer: news);
        await store.PutAsync(new byte[8 << 20]); // the work of half a mebibyte that is no frame
        long frameBytes = BlobFilesIn(StoreDirectory).Single().Length;

        await using var scrubber = new Scrubber(store, Rate, Time);
        for (int i = 0; i < (512 << 10) / (Rate / WaitsPerSecond); i++)
        {
            await Time.WaitForTimerAsync(wait);
            Time.Advance(wait);
        }

        await Time.WaitForTimerAsync(TimeSpan.FromHours(23), TimeSpan.FromHours(24)); // the pass is over
        Assert.That(news.ScrubbedBytes, Is.EqualTo(frameBytes), "what it tells is what it read");
    }
}
