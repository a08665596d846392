using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using static Build.Bazel.Remote.Execution.V2.BatchUpdateBlobsRequest.Types;

namespace RemoteExec.Services.Tests;

internal sealed class BatchTests : ServicesFixture
{
    private async Task<StatusCode[]> UpdateAsync(params Request[] requests)
    {
        var response = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { requests } });
        Assert.That(response.Responses.Select(answer => answer.Digest), Is.EqualTo(requests.Select(request => request.Digest)));
        return [.. response.Responses.Select(answer => (StatusCode)answer.Status.Code)];
    }

    private async Task<BatchReadBlobsResponse> ReadAsync(IEnumerable<WireDigest> digests, params WireCompressor[] compressors) =>
        await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { digests }, AcceptableCompressors = { compressors } });

    private static Request Of(Digest digest, string data) => new() { Digest = digest.ToWire(), Data = ByteString.CopyFromUtf8(data) };

    [Test] // REAPI C2
    public async Task Each_blob_gets_its_own_status()
    {
        Digest good = DigestOf("good"), liar = DigestOf("truth");

        var codes = await UpdateAsync(Of(good, "good"), Of(liar, "faker"), Of(DigestOf("long"), "longer"));

        Assert.That(codes, Is.EqualTo(new[] { StatusCode.OK, StatusCode.InvalidArgument, StatusCode.InvalidArgument }));
        Assert.That(await IsStoredAsync(good));
        Assert.That(await IsStoredAsync(liar), Is.False);
    }

    [Test] // REAPI C2
    public async Task Reading_gives_data_or_NOT_FOUND_per_blob()
    {
        var present = await StoreAsync("here");

        var answers = (await ReadAsync([present.ToWire(), DigestOf("absent").ToWire()])).Responses;

        Assert.That(answers[0].Data.ToStringUtf8(), Is.EqualTo("here"));
        Assert.That(answers.Select(answer => (StatusCode)answer.Status.Code), Is.EqualTo(new[] { StatusCode.OK, StatusCode.NotFound }));
    }

    [Test] // of each miss the sentence and the details are 300 bytes
    public async Task F01_fifty_thousand_misses_are_an_answer_that_a_usual_client_takes()
    {
        var absent = Enumerable.Range(0, 50_000).Select(number => DigestOf($"{number}").ToWire()).ToArray();

        var answer = await ReadAsync(absent);

        Assert.That(answer.CalculateSize(), Is.LessThanOrEqualTo(4 << 20));
        Assert.That(answer.Responses.Select(one => (one.Digest, (StatusCode)one.Status.Code)), Is.EqualTo(absent.Select(digest => (digest, StatusCode.NotFound))));
        Assert.That(answer.Responses[0].Status.Message, Does.Contain("not found"));
    }

    [Test]
    public async Task F01_fifty_thousand_refusals_are_an_answer_that_a_usual_client_takes()
    {
        var requests = Enumerable.Range(0, 50_000).Select(number => Of(DigestOf($"{number}"), "x")).ToArray();

        var answer = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { requests } });

        Assert.That(answer.CalculateSize(), Is.LessThanOrEqualTo(4 << 20));
        Assert.That(answer.Responses.Select(one => (StatusCode)one.Status.Code), Is.All.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task F01_a_batch_whose_bare_answer_would_be_too_large_is_INVALID_ARGUMENT()
    {
        var requests = Enumerable.Range(0, 50_000).Select(number => Of(Digest.Of(DigestFunction.Sha512, BitConverter.GetBytes(number)), "")).ToArray();

        var refusal = await FailureOf(() => Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { requests } }).ResponseAsync);

        Assert.That((refusal.StatusCode, refusal.Status.Detail), Is.EqualTo((
            StatusCode.InvalidArgument, $"50000 blobs in one batch: the answer would be larger than the {Limits.AnswerBytesMax} bytes that clients take")));
    }

    [TestCase(true)] // TRUST 4.1
    [TestCase(false)]
    public void A_request_of_millions_of_empty_entries_is_INVALID_ARGUMENT_before_it_takes_memory(bool isUpdate)
    {
        byte[] message = new byte[8 << 20];
        for (int i = 0; i < message.Length; i += 2) message[i] = 0x12; // field 2, no bytes
        long before = GC.GetAllocatedBytesForCurrentThread();

        var refusal = Assert.Throws<RpcException>(() =>
        {
            if (isUpdate) BatchQuery.ParseUpdate(message, DigestFunction.Sha256);
            else BatchQuery.ParseRead(message, DigestFunction.Sha256);
        });

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
        Assert.That((refusal!.StatusCode, refusal.Status.Detail), Is.EqualTo((StatusCode.InvalidArgument, "more than 50000 blobs in one batch, at most 50000 are allowed")));
    }

    [Test] // REAPI D2
    public async Task The_empty_blob_can_be_written_and_read()
    {
        var empty = Digest.Empty(DigestFunction.Sha256);

        Assert.That(await UpdateAsync(Of(empty, "")), Is.EqualTo(new[] { StatusCode.OK }));
        Assert.That((await ReadAsync([empty.ToWire()])).Responses.Single().Status.Code, Is.Zero);
    }

    [Test] // REAPI C2, C4
    public async Task Twice_the_announced_size_is_the_end()
    {
        await RestartAsync(new ServicesOptions { BatchBytesMax = 100 });
        string half = new('a', 99), other = new('b', 101), more = "c";

        Assert.That(await UpdateAsync(Of(DigestOf(half), half), Of(DigestOf(other), other)), Is.All.EqualTo(StatusCode.OK));
        Assert.That(
            await CodeOf(() => UpdateAsync(Of(DigestOf(half), half), Of(DigestOf(other), other), Of(DigestOf(more), more))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(DigestOf(more)), Is.False);
        Assert.That(
            await CodeOf(() => ReadAsync([DigestOf(half).ToWire(), DigestOf(other).ToWire(), DigestOf(more).ToWire()])),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    // The second is over what the transport takes, and refused when its length is announced.
    [TestCase(9)]
    [TestCase(18)]
    public async Task F21_a_batch_that_is_too_large_is_INVALID_ARGUMENT_and_names_the_announced_limit(int megabytes)
    {
        var data = ByteString.CopyFrom(new byte[megabytes * 1_000_000]);
        var digest = Digest.Of(DigestFunction.Sha256, data.Span).ToWire();

        var failure = await FailureOf(async () => await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest
        {
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = digest, Data = data } },
        }));

        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(failure.Status.Detail, Does.Contain($"{Options.BatchBytesMax} bytes are announced").Or.Contain($"at most {Options.BatchBytesMax} are announced"));
    }

    [Test] // REAPI C3
    public async Task Zstd_travels_both_ways_when_asked_for()
    {
        string text = new('z', 5000);
        var digest = DigestOf(text);
        var request = new Request { Digest = digest.ToWire(), Data = ByteString.CopyFrom(Zstd.Compress(Utf8(text))), Compressor = WireCompressor.Zstd };

        Assert.That(await UpdateAsync(request), Is.EqualTo(new[] { StatusCode.OK }));
        var plain = (await ReadAsync([digest.ToWire()])).Responses.Single();
        var packed = (await ReadAsync([digest.ToWire()], WireCompressor.Zstd)).Responses.Single();

        Assert.That((plain.Compressor, plain.Data.ToStringUtf8()), Is.EqualTo((WireCompressor.Identity, text)));
        Assert.That(packed.Compressor, Is.EqualTo(WireCompressor.Zstd));
        Assert.That(Zstd.Decompress(packed.Data.Span, text.Length), Is.EqualTo(Utf8(text)));
    }

    [Test] // REAPI BW10, TRUST 4.1
    public async Task A_zstd_bomb_is_cut_at_the_size_of_its_digest()
    {
        var digest = DigestOf("small");
        var bomb = new Request { Digest = digest.ToWire(), Data = ByteString.CopyFrom(Zstd.Compress(new byte[1 << 22])), Compressor = WireCompressor.Zstd };

        Assert.That(await UpdateAsync(bomb), Is.EqualTo(new[] { StatusCode.InvalidArgument }));
        Assert.That(await IsStoredAsync(digest), Is.False);
    }

    [Test] // REAPI C3
    public async Task A_compressor_that_is_not_announced_is_refused()
    {
        var request = Of(DigestOf("x"), "x");
        request.Compressor = WireCompressor.Brotli;

        Assert.That(await UpdateAsync(request), Is.EqualTo(new[] { StatusCode.InvalidArgument }));
        Assert.That(await IsStoredAsync(DigestOf("x")), Is.False);
    }

    [Test] // REAPI BW8: also in batches
    public async Task A_blob_above_the_announced_size_is_refused()
    {
        await RestartAsync(new ServicesOptions { BlobBytesMax = 3 });

        Assert.That(await UpdateAsync(Of(DigestOf("four"), "four"), Of(DigestOf("one"), "one")), Is.EqualTo(new[] { StatusCode.InvalidArgument, StatusCode.OK }));
    }
}
