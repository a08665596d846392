using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class ChunkedBlobStoreTests : DiskFixture
{
    private static readonly ChunkingOptions Chunking = new() { FastCdcAverageBytes = 16 << 10 };

    private ChunkLists OpenLists() => ChunkLists.Open(new ChunkListsOptions { Directory = Scratch.Sub("chunks"), Retention = Retention }, Time);

    private static async Task<(Digest Blob, Digest[] Chunks)> SpliceAsync(ChunkedBlobStore store, byte[] data)
    {
        using var splitter = new BlobSplitter(store, Chunking);
        var chunks = new List<Digest>();
        int start = 0;
        foreach (int size in Cuts.Of(new FastCdc2020(Chunking.FastCdcAverageBytes), data))
        {
            chunks.Add(await store.PutAsync(data[start..(start + size)]));
            start += size;
        }

        await splitter.SpliceAsync(Blobs.DigestOf(data), new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks), default);
        return (Blobs.DigestOf(data), [.. chunks]);
    }

    [Test]
    public async Task A_spliced_blob_survives_a_restart()
    {
        byte[] data = Blobs.Of(1, 500_000);
        await using (var disk = await OpenAsync())
        {
            using var lists = OpenLists();
            await SpliceAsync(new ChunkedBlobStore(disk, lists), data);
        }

        await using var again = await OpenAsync();
        using var listsAgain = OpenLists();
        Assert.That(await new ChunkedBlobStore(again, listsAgain).GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task A_change_of_a_large_blob_costs_the_chunks_around_it() // REAPI C8
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        byte[] data = Blobs.Of(2, 10 << 20);
        byte[] changed = [.. data.AsSpan(0, 5_000_000), .. Blobs.Of(3, 1024), .. data.AsSpan(5_000_000)];
        await SpliceAsync(store, data);
        long before = disk.Usage.UsedBytes;

        await SpliceAsync(store, changed);

        Assert.That(before, Is.EqualTo(data.Length));
        Assert.That(disk.Usage.UsedBytes - before, Is.InRange(1024, 3 * 64 << 10));
        Assert.That(await store.GetAsync(Blobs.DigestOf(changed)), Is.EqualTo(changed));
    }

    [Test]
    public async Task Splitting_writes_chunks_that_are_there_no_second_time()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        byte[] data = Blobs.Of(4, 1 << 20);
        var (_, chunks) = await SpliceAsync(store, data);
        var whole = await disk.PutAsync(data);
        long before = disk.Usage.UsedBytes;
        lists.Remove(whole, lists.Find(whole)!);

        var list = await splitter.SplitAsync(whole, ChunkingAlgorithm.FastCdc2020, 1000, default);

        Assert.That(list!.Chunks, Is.EqualTo(chunks));
        Assert.That(disk.Usage.UsedBytes, Is.EqualTo(before));
    }

    [Test]
    public async Task A_blob_that_is_not_what_its_name_says_is_not_split()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var splitter = new BlobSplitter(new ChunkedBlobStore(disk, lists), Chunking);
        byte[] data = Blobs.Of(5, 300_000);
        var blob = await disk.PutAsync(data);
        string file = FileOf(blob);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        data[200_000] ^= 1;
        File.WriteAllBytes(file, data);

        Assert.That(await splitter.SplitAsync(blob, ChunkingAlgorithm.Unknown, 1000, default), Is.Null);
        Assert.That(lists.Count, Is.Zero);
    }

    [Test]
    public async Task More_chunks_than_were_asked_for_are_no_answer()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var splitter = new BlobSplitter(new ChunkedBlobStore(disk, lists), Chunking);
        var blob = await disk.PutAsync(Blobs.Of(6, 300_000));

        Assert.That(await splitter.SplitAsync(blob, ChunkingAlgorithm.Unknown, chunksMax: 10, default), Is.Null);
        Assert.That(disk.Usage.Blobs, Is.EqualTo(1));
    }

    [Test]
    public async Task A_spliced_blob_becomes_a_file_when_an_action_wants_it()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        var local = new LocalChunkedBlobStore(disk, store);
        byte[] data = Blobs.Of(7, 200_000), small = Blobs.Of(8, 100);
        var (blob, _) = await SpliceAsync(store, data);
        var (plain, absent) = (await disk.PutAsync(small), Blobs.DigestOf(Blobs.Of(9, 5)));

        var missing = await local.LinkManyAsync(
            [
                new BlobLink(blob, true, Scratch.Sub("a")), new BlobLink(plain, true, Scratch.Sub("b")),
                new BlobLink(absent, true, Scratch.Sub("c")), new BlobLink(blob, false, Scratch.Sub("d")),
            ],
            default);

        Assert.That(missing, Is.EqualTo(new[] { absent }));
        Assert.That(File.ReadAllBytes(Scratch.Sub("a")), Is.EqualTo(data));
        Assert.That(File.ReadAllBytes(Scratch.Sub("b")), Is.EqualTo(small));
        Assert.That(File.ReadAllBytes(Scratch.Sub("d")), Is.EqualTo(data));
        Assert.That(File.Exists(Scratch.Sub("c")), Is.False);
        AssertConsistent(disk);
    }
}
