using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

internal sealed class ChunkedBlobsTests : ServicesFixture
{
    // Chunks of 256 bytes to 4 KiB, and of 256 to 511.
    private static readonly ChunkingOptions Small = new() { FastCdcAverageBytes = 1 << 10, RepMaxMinBytes = 256, RepMaxHorizonBytes = 8 * 256 };

    protected override ServicesOptions FirstOptions => new() { Chunking = Small };

    private static byte[] SomeBytes(int seed, int count)
    {
        byte[] data = new byte[count];
        new Random(seed).NextBytes(data);
        return data;
    }

    private async Task<Digest> StoreBytesAsync(byte[] data, DigestFunction function = DigestFunction.Sha256) => await Store.WriteAllAsync(function, data, Soon);

    private async Task<SplitBlobResponse> SplitAsync(Digest blob, WireChunkingFunction function = WireChunkingFunction.Unknown) =>
        await Cas.SplitBlobAsync(new SplitBlobRequest { BlobDigest = blob.ToWire(), ChunkingFunction = function, DigestFunction = blob.Function.ToWire() });

    private async Task<SpliceBlobResponse> SpliceAsync(Digest blob, params IEnumerable<Digest> chunks) => await Cas.SpliceBlobAsync(
        new SpliceBlobRequest { BlobDigest = blob.ToWire(), ChunkDigests = { chunks.Select(chunk => chunk.ToWire()) }, DigestFunction = blob.Function.ToWire() });

    private async Task<byte[]> ReadAsync(Digest digest, long offset = 0, long limit = 0)
    {
        var content = new MemoryStream();
        using var call = Bytes.Read(new ReadRequest { ResourceName = $"blobs/{digest}", ReadOffset = offset, ReadLimit = limit });
        await foreach (var piece in call.ResponseStream.ReadAllAsync(Soon)) piece.Data.WriteTo(content);
        return content.ToArray();
    }

    private async Task<Digest[]> FindMissingAsync(params IEnumerable<Digest> digests)
    {
        var answer = await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { digests.Select(digest => digest.ToWire()) } });
        return [.. answer.MissingBlobDigests.Select(wire => WireDigests.FromWire(wire, DigestFunction.Sha256, "digest"))];
    }

    private async Task<(byte[] Data, Digest Blob, Digest[] Chunks)> StorePiecesAsync(int seed, params int[] sizes)
    {
        byte[] data = SomeBytes(seed, sizes.Sum());
        var chunks = new List<Digest>();
        int start = 0;
        foreach (int size in sizes)
        {
            chunks.Add(await StoreBytesAsync(data[start..(start + size)]));
            start += size;
        }

        return (data, Digest.Of(DigestFunction.Sha256, data), [.. chunks]);
    }

    [TestCase(WireChunkingFunction.Unknown, WireChunkingFunction.FastCdc2020, 4096)]
    [TestCase(WireChunkingFunction.FastCdc2020, WireChunkingFunction.FastCdc2020, 4096)]
    [TestCase(WireChunkingFunction.RepMaxCdc, WireChunkingFunction.RepMaxCdc, 511)]
    [TestCase((WireChunkingFunction)77, WireChunkingFunction.FastCdc2020, 4096)] // of a later version
    public async Task Splitting_tells_chunks_that_are_blobs_and_make_up_the_whole(WireChunkingFunction asked, WireChunkingFunction used, int bytesMax) // REAPI C6
    {
        byte[] data = SomeBytes(1, 50_000);
        var blob = await StoreBytesAsync(data);

        var answer = await SplitAsync(blob, asked);

        var whole = new MemoryStream();
        foreach (var chunk in answer.ChunkDigests)
            whole.Write(await ReadAsync(WireDigests.FromWire(chunk, DigestFunction.Sha256, "chunk")));
        Assert.That(whole.ToArray(), Is.EqualTo(data));
        Assert.That(answer.ChunkingFunction, Is.EqualTo(used));
        Assert.That(answer.ChunkDigests, Has.Count.GreaterThan(10));
        Assert.That(answer.ChunkDigests.Select(chunk => chunk.SizeBytes), Is.All.InRange(1, bytesMax));
        Assert.That((await SplitAsync(blob, asked)).ChunkDigests, Is.EqualTo(answer.ChunkDigests), "asked again");
    }

    [Test]
    public async Task What_was_cut_larger_than_is_announced_now_is_cut_again() // REAPI C6, C8
    {
        var blob = await StoreBytesAsync(SomeBytes(1, 50_000));
        await RestartAsync(Options with { Chunking = Small with { FastCdcAverageBytes = 4 << 10 } });
        Assert.That((await SplitAsync(blob)).ChunkDigests.Max(chunk => chunk.SizeBytes), Is.GreaterThan(4096));

        await RestartAsync(Options with { Chunking = Small });

        Assert.That((await SplitAsync(blob)).ChunkDigests.Max(chunk => chunk.SizeBytes), Is.LessThanOrEqualTo(4096));
    }

    [Test]
    public async Task The_chunks_are_of_the_hash_function_of_the_blob() // REAPI C6, D5
    {
        var blob = await StoreBytesAsync(SomeBytes(2, 20_000), DigestFunction.Blake3);

        var answer = await SplitAsync(blob);

        var batch = await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { answer.ChunkDigests }, DigestFunction = WireDigestFunction.Blake3 });
        Assert.That(batch.Responses.Select(chunk => Digest.Of(DigestFunction.Blake3, chunk.Data.Span).ToWire()), Is.EqualTo(answer.ChunkDigests));
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(4096)]
    public async Task A_blob_that_is_no_larger_than_a_chunk_is_its_own(int size) // REAPI C8
    {
        var blob = await StoreBytesAsync(SomeBytes(3, size));

        Assert.That((await SplitAsync(blob)).ChunkDigests, Is.EqualTo(new[] { blob.ToWire() }));
    }

    [Test]
    public async Task An_absent_blob_cannot_be_split() => // REAPI C6
        Assert.That(await CodeOf(() => SplitAsync(DigestOf("absent"))), Is.EqualTo(StatusCode.NotFound));

    [Test]
    public async Task Splitting_a_whole_blob_takes_no_room() // REAPI C6
    {
        var blob = await StoreBytesAsync(SomeBytes(4, 10 << 20));
        await StoreBytesAsync(SomeBytes(5, 54 << 20));

        var answer = await SplitAsync(blob);

        Assert.That(await FindMissingAsync(answer.ChunkDigests.Select(wire => WireDigests.FromWire(wire, DigestFunction.Sha256, "chunk"))), Is.Empty);
        Assert.That(Store.Usage.Blobs, Is.EqualTo(2));
    }

    [Test]
    public async Task Splitting_without_room_for_chunks_is_RESOURCE_EXHAUSTED() // REAPI C6, G1
    {
        var (_, blob, chunks) = await StorePiecesAsync(4, 5 << 20, 5 << 20);
        await SpliceAsync(blob, chunks);
        await StoreBytesAsync(SomeBytes(5, 54 << 20));

        var failure = await FailureOf(() => SplitAsync(blob, WireChunkingFunction.RepMaxCdc));

        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(failure.Trailers.Any(entry => entry.Key == RpcErrors.DetailsTrailer), "RetryInfo");
        Assert.That((await SplitAsync(blob)).ChunkDigests, Is.EqualTo(chunks.Select(chunk => chunk.ToWire())), "as it was");
    }

    [Test]
    public async Task Splicing_makes_a_blob_of_chunks_and_stores_no_byte_of_it_again() // REAPI C7
    {
        var (data, blob, chunks) = await StorePiecesAsync(6, 5000, 1, 70_000, 300);
        long before = Store.Usage.UsedBytes;

        var answer = await SpliceAsync(blob, chunks);

        Assert.That(answer.BlobDigest, Is.EqualTo(blob.ToWire()));
        Assert.That(await FindMissingAsync(blob), Is.Empty);
        Assert.That(await ReadAsync(blob), Is.EqualTo(data));
        Assert.That(await ReadAsync(blob, offset: 5001, limit: 123), Is.EqualTo(data[5001..5124]));
        Assert.That(await ReadAsync(blob, offset: data.Length), Is.Empty);
        Assert.That(Store.Usage.UsedBytes, Is.EqualTo(before));
        Assert.That((await SplitAsync(blob)).ChunkDigests, Is.EqualTo(chunks.Select(chunk => chunk.ToWire())), "the list that was given");
    }

    [Test]
    public async Task A_spliced_blob_is_served_by_every_method() // REAPI BR4, BW5
    {
        var (data, blob, chunks) = await StorePiecesAsync(7, 3000, 4000);
        await SpliceAsync(blob, chunks);

        var batch = await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { blob.ToWire() } });
        using var upload = Bytes.Write();
        await upload.RequestStream.WriteAsync(new WriteRequest { ResourceName = $"uploads/{Guid.NewGuid()}/blobs/{blob}", Data = ByteString.CopyFrom(data[..10]) });

        Assert.That(batch.Responses.Single().Data.ToByteArray(), Is.EqualTo(data));
        Assert.That((await upload.ResponseAsync).CommittedSize, Is.EqualTo(data.Length), "it is there already");
    }

    [Test]
    public async Task Splicing_absent_chunks_is_NOT_FOUND() // REAPI C7
    {
        var (data, _, chunks) = await StorePiecesAsync(8, 100, 200);
        byte[] rest = SomeBytes(9, 200);
        var (absent, other) = (Digest.Of(DigestFunction.Sha256, rest), Digest.Of(DigestFunction.Sha256, [.. data[..100], .. rest]));

        var failure = await FailureOf(() => SpliceAsync(other, chunks[0], absent));

        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That(failure.Status.Detail, Does.Contain(absent.ToString()));
        Assert.That(await FindMissingAsync(other, absent), Is.EqualTo(new[] { other, absent }));
    }

    [Test]
    public async Task Chunks_that_hash_to_another_blob_are_INVALID_ARGUMENT_and_nothing_is_stored() // REAPI C7
    {
        var (data, blob, chunks) = await StorePiecesAsync(10, 200, 200);
        var forged = Digest.Of(DigestFunction.Sha256, [.. data[..399], (byte)(data[399] ^ 1)]);

        Assert.That(await CodeOf(() => SpliceAsync(forged, chunks)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => SpliceAsync(blob, chunks.Reverse())), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await FindMissingAsync(forged, blob), Is.EqualTo(new[] { forged, blob }));
        Assert.That(ChunkLists.Count, Is.Zero);

        await SpliceAsync(blob, chunks); // the next honest request
    }

    [Test]
    public async Task Chunks_whose_sizes_do_not_add_up_are_INVALID_ARGUMENT_before_any_is_looked_for() // REAPI C7
    {
        var blob = DigestOf("twelve bytes");
        WireDigest huge = new() { Hash = DigestOf("x").Hash, SizeBytes = long.MaxValue }, one = DigestOf("x").ToWire();

        foreach (WireDigest[] chunks in (WireDigest[][])[[], [one], [huge], [huge, huge, one]])
        {
            var request = new SpliceBlobRequest { BlobDigest = blob.ToWire(), ChunkDigests = { chunks } };
            Assert.That(await CodeOf(async () => await Cas.SpliceBlobAsync(request)), Is.EqualTo(StatusCode.InvalidArgument), $"{chunks.Length} chunks");
        }
    }

    [Test]
    public async Task Splicing_a_blob_that_is_there_needs_its_chunks_or_is_ALREADY_EXISTS() // REAPI C7
    {
        byte[] data = SomeBytes(11, 1000);
        var blob = await StoreBytesAsync(data);
        Digest[] chunks = [Digest.Of(DigestFunction.Sha256, data.AsSpan(0, 400)), Digest.Of(DigestFunction.Sha256, data.AsSpan(400))];

        Assert.That(await CodeOf(() => SpliceAsync(blob, chunks)), Is.EqualTo(StatusCode.AlreadyExists));
        await StoreBytesAsync(data[..400]);
        await StoreBytesAsync(data[400..]);
        await SpliceAsync(blob, chunks);

        Assert.That((await SplitAsync(blob)).ChunkDigests, Is.EqualTo(chunks.Select(chunk => chunk.ToWire())));
    }

    [Test]
    public async Task Spliced_blobs_may_be_chunks_of_others() // REAPI C7
    {
        var (first, inner, innerChunks) = await StorePiecesAsync(12, 300, 400);
        byte[] rest = SomeBytes(13, 50);
        var tail = await StoreBytesAsync(rest);
        byte[] all = [.. first, .. rest, .. first];
        await SpliceAsync(inner, innerChunks);

        await SpliceAsync(Digest.Of(DigestFunction.Sha256, all), inner, tail, inner);

        Assert.That(await ReadAsync(Digest.Of(DigestFunction.Sha256, all)), Is.EqualTo(all));
    }

    [Test]
    public async Task A_spliced_blob_is_kept_with_its_chunks_for_as_long_as_it_is_asked_for() // REAPI C1, DESIGN D4
    {
        var (data, blob, chunks) = await StorePiecesAsync(14, 10 << 20, 10 << 20);
        await SpliceAsync(blob, chunks);

        for (int hours = 0; hours < 12; hours += 3)
        {
            Time.Advance(TimeSpan.FromHours(3));
            Assert.That(await FindMissingAsync(blob), Is.Empty);
            await StoreBytesAsync(SomeBytes(100 + hours, 20 << 20)); // takes what nobody was promised
        }

        Assert.That((await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { chunks.Select(chunk => chunk.ToWire()) } })).MissingBlobDigests, Is.Empty);
        Assert.That(await FindMissingAsync(blob), Is.Empty);
    }

    [Test]
    public async Task A_spliced_blob_is_missing_when_one_of_its_chunks_is_gone() // REAPI C6
    {
        var (_, blob, chunks) = await StorePiecesAsync(15, 10 << 20, 1 << 20);
        await SpliceAsync(blob, chunks);
        Time.Advance(TimeSpan.FromHours(5));
        await StoreBytesAsync(SomeBytes(16, 60 << 20));

        Assert.That(await FindMissingAsync(blob), Is.EqualTo(new[] { blob }));
        Assert.That(await CodeOf(() => ReadAsync(blob)), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await CodeOf(() => SplitAsync(blob)), Is.EqualTo(StatusCode.NotFound));
        Assert.That(ChunkLists.Count, Is.Zero);
    }

    [Test]
    public async Task Malformed_requests_are_INVALID_ARGUMENT() // REAPI D1, G2
    {
        SplitBlobRequest[] splits =
        [
            new(),
            new() { BlobDigest = new WireDigest { Hash = "zz", SizeBytes = 1 } },
            new() { BlobDigest = DigestOf("x").ToWire(), InstanceName = "a/blobs/b" },
            new() { BlobDigest = DigestOf("x").ToWire(), DigestFunction = WireDigestFunction.Sha512 },
        ];
        foreach (var request in splits)
            Assert.That(await CodeOf(async () => await Cas.SplitBlobAsync(request)), Is.EqualTo(StatusCode.InvalidArgument), $"{request}");

        SpliceBlobRequest[] splices =
        [
            new(), // blob_digest is not optional any more
            new() { ChunkDigests = { DigestOf("x").ToWire() } },
            new() { BlobDigest = DigestOf("x").ToWire(), ChunkDigests = { new WireDigest { Hash = DigestOf("x").Hash.ToUpperInvariant(), SizeBytes = 1 } } },
            new() { BlobDigest = DigestOf("x").ToWire(), ChunkDigests = { new WireDigest { Hash = new string('0', 40), SizeBytes = 1 } } },
            new() { BlobDigest = new WireDigest { Hash = DigestOf("x").Hash, SizeBytes = long.MaxValue } },
        ];
        foreach (var request in splices)
            Assert.That(await CodeOf(async () => await Cas.SpliceBlobAsync(request)), Is.EqualTo(StatusCode.InvalidArgument), $"{request}");
        Assert.That(Store.Usage.Blobs, Is.Zero);
    }

    [Test]
    public async Task More_chunks_than_an_answer_has_room_for_are_refused() // F01
    {
        byte[] one = [1];
        var chunk = await StoreBytesAsync(one);
        const int Many = 52_000;

        Assert.That(await CodeOf(() => SpliceAsync(Digest.Of(DigestFunction.Sha256, Enumerable.Repeat((byte)1, Many).ToArray()), Enumerable.Repeat(chunk, Many))), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task Both_functions_are_announced_with_their_parameters() // REAPI K2, C8, C9
    {
        var cache = (await new Capabilities.CapabilitiesClient(Channel).GetCapabilitiesAsync(new GetCapabilitiesRequest())).CacheCapabilities;

        Assert.That(cache.SplitBlobSupport && cache.SpliceBlobSupport);
        Assert.That((cache.FastCdc2020Params.AvgChunkSizeBytes, cache.FastCdc2020Params.Seed), Is.EqualTo((1024ul, 0u)));
        Assert.That((cache.RepMaxCdcParams.MinChunkSizeBytes, cache.RepMaxCdcParams.HorizonSizeBytes), Is.EqualTo((256ul, 2048ul)));
    }
}
