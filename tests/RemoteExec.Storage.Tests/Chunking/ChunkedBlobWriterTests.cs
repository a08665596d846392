using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class ChunkedBlobWriterTests : DiskFixture
{
    private static readonly ChunkingOptions Chunking = new() { FastCdcAverageBytes = 16 << 10, StoredFromBytes = 1 << 20 };

    private ChunkLists OpenLists(int chunksMax = 500_000) =>
        ChunkLists.Open(new ChunkListsOptions { Directory = Scratch.Sub("chunks"), Retention = Retention, ChunksMax = chunksMax }, Time);

    private static async Task PutInPiecesAsync(ChunkedBlobStore store, Digest digest, ReadOnlyMemory<byte> data, int pieceBytes)
    {
        await using var writer = await store.CreateWriterAsync(digest, default);
        for (int start = 0; start < data.Length; start += pieceBytes)
            await writer.AppendAsync(data.Slice(start, Math.Min(pieceBytes, data.Length - start)), default);
        await writer.CommitAsync(default);
    }

    [TestCase(1 << 20)]
    [TestCase(100_003)]
    [TestCase(20 << 20)]
    public async Task An_upload_of_that_size_is_read_as_it_was_written_however_it_came_also_after_a_restart(int pieceBytes)
    {
        byte[] data = Blobs.Of(1, (7 << 20) + 5);
        await using (var disk = await OpenAsync())
        {
            using var lists = OpenLists();
            using var store = new ChunkedBlobStore(disk, lists, Chunking);
            await PutInPiecesAsync(store, Blobs.DigestOf(data), data, pieceBytes);
            Assert.That(await disk.FindMissingAsync([Blobs.DigestOf(data)], default), Is.Not.Empty, "it is no file");
            Assert.That(disk.Usage.UsedBytes, Is.EqualTo(data.Length));
        }

        await using var again = await OpenAsync();
        using var listsAgain = OpenLists();
        using var storeAgain = new ChunkedBlobStore(again, listsAgain, Chunking);
        Assert.That(await storeAgain.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task What_uploads_share_is_stored_once()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        byte[] data = Blobs.Of(2, 10 << 20);
        byte[] changed = [.. data.AsSpan(0, 5_000_000), .. Blobs.Of(3, 1024), .. data.AsSpan(5_000_000)];
        await PutInPiecesAsync(store, Blobs.DigestOf(data), data, 1 << 20);
        long before = disk.Usage.UsedBytes;

        await PutInPiecesAsync(store, Blobs.DigestOf(changed), changed, 1 << 20);

        Assert.That(disk.Usage.UsedBytes - before, Is.InRange(1024, 3 * 64 << 10));
        Assert.That(await store.GetAsync(Blobs.DigestOf(changed)), Is.EqualTo(changed));
    }

    [Test]
    public async Task A_smaller_one_is_a_file()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        byte[] data = Blobs.Of(4, (1 << 20) - 1);

        await PutInPiecesAsync(store, Blobs.DigestOf(data), data, 1 << 20);

        Assert.That(await disk.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(lists.Count, Is.Zero);
    }

    [Test]
    public async Task One_for_whose_chunks_no_list_has_room_is_a_file()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists(chunksMax: 100);
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        byte[] data = Blobs.Of(5, 2 << 20);

        await PutInPiecesAsync(store, Blobs.DigestOf(data), data, 1 << 20);

        Assert.That(await disk.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task What_hashes_to_something_else_is_refused_and_is_no_blob() // REAPI BW7
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        byte[] data = Blobs.Of(6, 3 << 20);
        var claimed = Blobs.DigestOf(Blobs.Of(7, 3 << 20));

        var refused = Assert.ThrowsAsync<RpcException>(async () => await PutInPiecesAsync(store, claimed, data, 1 << 20));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await store.FindMissingAsync([claimed, Blobs.DigestOf(data)], default), Has.Count.EqualTo(2));
        Assert.That(lists.Count, Is.Zero);
    }

    [Test]
    public async Task A_full_store_refuses_it_with_a_time_to_come_back()
    {
        await using var disk = await OpenAsync(limitBytes: 8 << 20);
        using var lists = OpenLists();
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        await store.PutAsync(Blobs.Of(8, 5 << 20));
        byte[] data = Blobs.Of(9, 6 << 20);

        var refused = Assert.ThrowsAsync<RpcException>(async () => await PutInPiecesAsync(store, Blobs.DigestOf(data), data, 1 << 20));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refused.Trailers.Any(entry => entry.Key == "grpc-status-details-bin"), "RetryInfo");
        Assert.That(disk.Usage.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task An_action_of_this_machine_finds_it_as_a_file()
    {
        await using var disk = await OpenAsync();
        using var lists = OpenLists();
        using var store = new ChunkedBlobStore(disk, lists, Chunking);
        byte[] data = Blobs.Of(10, 3 << 20);
        await PutInPiecesAsync(store, Blobs.DigestOf(data), data, 1 << 20);
        string path = Path.Combine(Scratch.Sub("root"), "input");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);

        bool isLinked = await new LocalChunkedBlobStore(disk, store).TryLinkAsync(Blobs.DigestOf(data), executable: true, path, default);

        Assert.That(isLinked);
        Assert.That(File.ReadAllBytes(path), Is.EqualTo(data));
    }
}
