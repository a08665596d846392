using Grpc.Core;
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
    public async Task Splitting_a_file_stores_nothing_and_its_chunks_are_parts_of_it() // REAPI C6
    {
        byte[] data = Blobs.Of(4, 1 << 20);
        IReadOnlyList<Digest> chunks;
        await using (var disk = await OpenAsync())
        {
            using var lists = OpenLists();
            using var splitter = new BlobSplitter(new ChunkedBlobStore(disk, lists), Chunking);
            var whole = await disk.PutAsync(data);
            chunks = (await splitter.SplitAsync(whole, ChunkingAlgorithm.FastCdc2020, 1000, default))!.Chunks;
            Assert.That(disk.Usage.Blobs, Is.EqualTo(1));
        }

        await using var again = await OpenAsync();
        using var listsAgain = OpenLists();
        var store = new ChunkedBlobStore(again, listsAgain);
        Assert.That(chunks, Has.Count.GreaterThan(20));
        Assert.That(await store.FindMissingAsync(chunks, default), Is.Empty);
        var read = new List<byte>();
        foreach (var chunk in chunks)
        {
            byte[] bytes = (await store.GetAsync(chunk))!;
            Assert.That(Blobs.DigestOf(bytes), Is.EqualTo(chunk));
            read.AddRange(bytes);
        }

        Assert.That(read, Is.EqualTo(data));
        await using var writer = await store.CreateWriterAsync(chunks[3], default);
        Assert.That(writer.AlreadyPresent);
    }

    [Test]
    public async Task Who_asks_for_a_part_keeps_the_whole() // DESIGN D4
    {
        await using var disk = await OpenAsync(limitBytes: 3 << 20);
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        var whole = await disk.PutAsync(Blobs.Of(5, 1 << 20));
        var chunks = (await splitter.SplitAsync(whole, ChunkingAlgorithm.Unknown, 1000, default))!.Chunks;
        await disk.PutAsync(Blobs.Of(6, 2 << 20));
        Time.Advance(TimeSpan.FromHours(3));
        await store.FindMissingAsync([chunks[7]], default);
        Time.Advance(TimeSpan.FromHours(2));
        await disk.PutAsync(Blobs.Of(7, 2 << 20));

        Assert.That(await store.FindMissingAsync([.. chunks, whole], default), Is.Empty);
        Time.Advance(TimeSpan.FromHours(5));
        await disk.PutAsync(Blobs.Of(8, 3 << 20));
        Assert.That(await store.FindMissingAsync([chunks[7], whole], default), Is.EqualTo(new[] { chunks[7], whole }));
        Assert.That(await store.OpenReadAsync(chunks[7], 0, default), Is.Null);
    }

    [Test]
    public async Task A_blob_that_is_spliced_of_parts_outlives_the_whole_that_they_are_of() // REAPI C7
    {
        await using var disk = await OpenAsync(limitBytes: 4 << 20);
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        byte[] data = Blobs.Of(9, 1 << 20);
        var parts = (await splitter.SplitAsync(await disk.PutAsync(data), ChunkingAlgorithm.Unknown, 1000, default))!.Chunks;
        byte[] half = data[..(int)parts.Take(10).Sum(part => part.SizeBytes)];
        await splitter.SpliceAsync(Blobs.DigestOf(half), new ChunkList(ChunkingAlgorithm.Unknown, [.. parts.Take(10)]), default);

        Time.Advance(TimeSpan.FromHours(3));
        await store.FindMissingAsync([Blobs.DigestOf(half)], default);
        Time.Advance(TimeSpan.FromHours(2));
        await disk.PutAsync(Blobs.Of(10, 3 << 20));

        Assert.That(await disk.HasAsync(Blobs.DigestOf(data)), Is.False);
        Assert.That(await store.GetAsync(Blobs.DigestOf(half)), Is.EqualTo(half));
    }

    [Test]
    public async Task A_part_becomes_a_file_when_an_action_wants_it()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        var chunks = (await splitter.SplitAsync(await disk.PutAsync(Blobs.Of(11, 200_000)), ChunkingAlgorithm.Unknown, 1000, default))!.Chunks;

        Assert.That(await new LocalChunkedBlobStore(disk, store).TryLinkAsync(chunks[1], false, Scratch.Sub("part"), default));

        Assert.That(Blobs.DigestOf(File.ReadAllBytes(Scratch.Sub("part"))), Is.EqualTo(chunks[1]));
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
        Assert.That(await disk.HasAsync(blob), Is.False, "it can be uploaded again");
    }

    [Test]
    public async Task A_bad_chunk_makes_its_blob_a_miss_that_can_be_uploaded_again()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        var local = new LocalChunkedBlobStore(disk, store);
        byte[] data = Blobs.Of(12, 200_000);
        var (blob, chunks) = await SpliceAsync(store, data);
        var bad = chunks[chunks.Length / 2];
        string file = FileOf(bad);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        byte[] bytes = File.ReadAllBytes(file);
        bytes[^1] ^= 1;
        File.WriteAllBytes(file, bytes);

        Assert.That(await local.TryLinkAsync(blob, false, Scratch.Sub("a"), default), Is.False);

        Assert.That(await store.FindMissingAsync([blob, .. chunks], default), Is.EqualTo(new[] { blob, bad }));
        await SpliceAsync(store, data);
        Assert.That(await local.TryLinkAsync(blob, false, Scratch.Sub("b"), default));
        Assert.That(File.ReadAllBytes(Scratch.Sub("b")), Is.EqualTo(data));
    }

    [Test]
    public async Task Who_waited_for_a_place_finds_what_was_done_meanwhile()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var splitter = new BlobSplitter(new ChunkedBlobStore(disk, lists), Chunking);
        var blob = await disk.PutAsync(Blobs.Of(13, 4 << 20));

        var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Task.Run(
            async () => await splitter.SplitAsync(blob, ChunkingAlgorithm.FastCdc2020, 10_000, default))));

        Assert.That(answers, Has.All.Not.Null);
        Assert.That(answers.Distinct().Count(), Is.LessThanOrEqualTo(Math.Max(1, Environment.ProcessorCount / 2)), "as many as there are places cut it, at most");
    }

    [Test]
    public async Task Chunks_of_a_few_bytes_are_joined_and_take_no_room_of_the_lists()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        var one = await store.PutAsync([0]);
        var blob = Blobs.DigestOf(new byte[5000]);

        await splitter.SpliceAsync(blob, new ChunkList(ChunkingAlgorithm.FastCdc2020, [.. Enumerable.Repeat(one, 5000)]), default);

        Assert.That(lists.Count, Is.Zero);
        Assert.That(await disk.GetAsync(blob), Is.EqualTo(new byte[5000]));
        var forged = Blobs.DigestOf(Blobs.Of(14, 5000));
        Assert.That(
            async () => await splitter.SpliceAsync(forged, new ChunkList(ChunkingAlgorithm.Unknown, [.. Enumerable.Repeat(one, 5000)]), default),
            Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
        Assert.That(await store.HasAsync(forged), Is.False);
    }

    [TestCase(100_000, 100_000, ExpectedResult = ChunkingAlgorithm.Unknown, Description = "larger than the announced maximum")]
    [TestCase(1000, 30_000, ExpectedResult = ChunkingAlgorithm.Unknown, Description = "smaller than the announced minimum")]
    [TestCase(30_000, 1000, ExpectedResult = ChunkingAlgorithm.FastCdc2020, Description = "the last may be")]
    public async Task<ChunkingAlgorithm> A_list_is_of_the_algorithm_that_it_says_only_if_its_chunks_could_be(int first, int second) // REAPI C8
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        byte[] data = Blobs.Of(15, first + second);
        var blob = Blobs.DigestOf(data);
        Digest[] chunks = [await store.PutAsync(data[..first]), await store.PutAsync(data[first..])];

        await splitter.SpliceAsync(blob, new ChunkList(ChunkingAlgorithm.FastCdc2020, chunks), default);

        return lists.Find(blob, _ => true)!.Algorithm;
    }

    [Test]
    public async Task A_single_chunk_that_is_another_blob_is_refused_though_the_blob_is_here() // REAPI C7
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        var store = new ChunkedBlobStore(disk, lists);
        using var splitter = new BlobSplitter(store, Chunking);
        var (blob, other) = (await store.PutAsync(Blobs.Of(16, 100)), await store.PutAsync(Blobs.Of(17, 100)));

        await splitter.SpliceAsync(blob, new ChunkList(ChunkingAlgorithm.Unknown, [blob]), default);
        Assert.That(
            async () => await splitter.SpliceAsync(blob, new ChunkList(ChunkingAlgorithm.Unknown, [other]), default),
            Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
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
        await AssertConsistentAsync(disk);
    }
}
