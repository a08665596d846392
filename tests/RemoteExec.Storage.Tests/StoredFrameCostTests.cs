using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Testing;

namespace RemoteExec.Storage.Tests;

/// <summary>What blobs that are stored as zstd frames cost those who read others, and what they count.</summary>
public sealed class StoredFrameCostTests : DiskFixture
{
    // More than is decompressed for nothing, and than is at once.
    private const int LargeBytes = 6_000_001;

    [TestCase(LargeBytes)] // no room for a plain file
    [TestCase(4 * LargeBytes)]
    public async Task What_is_before_an_offset_is_decompressed_by_threads_that_give_way(int limitBytes)
    {
        byte[] data = Lines(LargeBytes);
        var disk = new WatchingDisk();
        await using var store = await OpenAsync(limitBytes, disk, compressesAtRest: true);
        var digest = await store.PutAsync(data);
        disk.Begin();

        await using var reader = await store.OpenReadAsync(digest, LargeBytes - 10, default);

        Assert.That(disk.ReadByOthers, Is.LessThan(1000), "whether it can be read is found out by the call itself");
        byte[] read = new byte[10];
        await reader!.ReadExactlyAsync(read);
        Assert.That(read, Is.EqualTo(data[^10..]));
    }

    [Test]
    public async Task Many_who_read_from_its_middle_have_it_made_plain_once()
    {
        byte[] data = Lines(LargeBytes);
        var disk = new WatchingDisk();
        await using var store = await OpenAsync(4 * LargeBytes, disk, compressesAtRest: true);
        var digest = await store.PutAsync(data);
        long frameBytes = store.Usage.UsedBytes;
        disk.Begin(isHeld: true);

        var opening = Enumerable.Range(0, 8).Select(_ => store.OpenReadAsync(digest, LargeBytes - 10, default).AsTask()).ToList();
        disk.LetGo();
        foreach (var reader in await Task.WhenAll(opening)) await reader!.DisposeAsync();

        Assert.That(disk.ReadInBulk, Is.EqualTo(frameBytes));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(LargeBytes + frameBytes));
        await AssertConsistentAsync(store);
    }

    [Test]
    public async Task A_store_that_is_closed_while_one_is_made_plain_leaves_nothing_of_it()
    {
        var disk = new WatchingDisk();
        var store = await OpenAsync(4 * LargeBytes, disk, compressesAtRest: true);
        var digest = await store.PutAsync(Lines(LargeBytes));
        disk.Begin(isHeld: true);
        using var leaving = new CancellationTokenSource();
        var opening = store.OpenReadAsync(digest, LargeBytes - 10, leaving.Token).AsTask();
        await leaving.CancelAsync();
        Assert.That(async () => await opening, Throws.InstanceOf<OperationCanceledException>());

        var closing = store.DisposeAsync();
        disk.LetGo();
        await closing;

        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(StoreDirectory, "temp")), Is.Empty);
    }

    [TestCase(0)]
    [TestCase(1)]
    public async Task A_plain_file_that_cannot_be_read_does_not_make_its_frame_a_miss(int offset)
    {
        byte[] data = Lines(1_000_000);
        var disk = new FaultyDisk();
        await using var store = await OpenAsync(disk: disk, compressesAtRest: true);
        var digest = await store.PutAsync(data);
        Assert.That(await store.TryLinkAsync(digest, executable: true, Scratch.Sub("f"), default), Is.True);
        (disk.FaultyFile, disk.ReadFault) = (BlobFiles.NameOf(digest), Errno.EIO);

        await using var reader = await store.OpenReadAsync(digest, offset, default);

        Assert.That(reader, Is.Not.Null);
        var read = new MemoryStream();
        await reader!.ReadToAsync(read, hasher: null, default);
        Assert.That(read.ToArray(), Is.EqualTo(data[offset..]));
        await AssertConsistentAsync(store);
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(900_000)]
    public async Task A_plain_file_that_is_gone_does_not_make_its_frame_a_miss(int offset)
    {
        byte[] data = Lines(1_000_000);
        await using var store = await OpenAsync(compressesAtRest: true);
        var digest = await store.PutAsync(data);
        Assert.That(await store.TryLinkAsync(digest, executable: true, Scratch.Sub("f"), default), Is.True);
        File.Delete(FileOf(digest));

        for (int tries = 0; tries < 2; tries++)
        {
            await using var reader = await store.OpenReadAsync(digest, offset, default);
            Assert.That(reader, Is.Not.Null);
            var read = new MemoryStream();
            await reader!.ReadToAsync(read, hasher: null, default);
            Assert.That(read.ToArray(), Is.EqualTo(data[offset..]));
        }

        await AssertConsistentAsync(store);
    }

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

    private static byte[] Lines(int bytes)
    {
        var random = new Random(1);
        byte[] lines = new byte[bytes];
        for (int i = 0; i < bytes; i++) lines[i] = (byte)(i % 4 == 0 ? random.Next('a', 'z') : ' ');
        return lines;
    }

    /// <summary>Tells who reads how much of it, and lets those who give way wait.</summary>
    private sealed class WatchingDisk : IDisk
    {
        private readonly Disk _disk = new();
        private readonly ManualResetEventSlim _isFree = new(initialState: true);
        private long _inBulk;
        private long _byOthers;

        public long ReadInBulk => Interlocked.Read(ref _inBulk);

        public long ReadByOthers => Interlocked.Read(ref _byOthers);

        public void Begin(bool isHeld = false)
        {
            (_inBulk, _byOthers) = (0, 0);
            if (isHeld) _isFree.Reset();
        }

        public void LetGo() => _isFree.Set();

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            bool isBulk = Thread.CurrentThread.Name == "storage bulk";
            if (isBulk && !_isFree.Wait(TimeSpan.FromSeconds(60))) throw new TimeoutException("nobody let it go");
            int read = _disk.Read(file, buffer, offset);
            Interlocked.Add(ref isBulk ? ref _inBulk : ref _byOthers, read);
            return read;
        }
    }
}
