using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class ByteStreamWriteTests : ServicesFixture
{
    private const string Content = "hello world";

    private static readonly Digest ContentDigest = DigestOf(Content);

    private readonly Arrivals _arrivals = new();
    private LendingStore? _lent;

    protected override ServicesOptions FirstOptions => new() { Observer = _arrivals };

    protected override IBlobStore Served => _lent = new LendingStore(Store);

    private static string Plain(Digest digest, string id = "id") => $"uploads/{id}/blobs/{digest}";

    private static string Compressed(Digest digest) => $"uploads/id/compressed-blobs/zstd/{digest}";

    private static WriteRequest Message(string data, long offset, bool finish = false, string name = "") =>
        new() { ResourceName = name, WriteOffset = offset, FinishWrite = finish, Data = ByteString.CopyFromUtf8(data) };

    private async Task<long> WriteAsync(params WriteRequest[] messages)
    {
        using var call = Bytes.Write();
        try
        {
            foreach (var message in messages) await call.RequestStream.WriteAsync(message, Soon);
            await call.RequestStream.CompleteAsync();
        }
        catch (Exception early) when (early is RpcException or InvalidOperationException or OperationCanceledException)
        {
            // The server has answered before everything was sent; its answer is what counts.
        }

        return (await call.ResponseAsync).CommittedSize;
    }

    /// <summary>Sends a piece and returns when it has arrived.</summary>
    private async Task SendAsync(AsyncClientStreamingCall<WriteRequest, WriteResponse> call, WriteRequest piece)
    {
        var arrived = _arrivals.NextAsync();
        await call.RequestStream.WriteAsync(piece, Soon);
        await arrived;
    }

    private async Task<(long, bool)> StatusAsync(string name)
    {
        var status = await Bytes.QueryWriteStatusAsync(new QueryWriteStatusRequest { ResourceName = name });
        return (status.CommittedSize, status.Complete);
    }

    [Test] // REAPI BW1, BW6
    public async Task An_upload_in_pieces_commits_its_full_size()
    {
        string name = Plain(ContentDigest);

        Assert.That(await WriteAsync(Message("hello", 0, name: name), Message(" wor", 5), Message("ld", 9, finish: true, name: name)), Is.EqualTo(11));
        Assert.That((await Store.ReadAllAsync(ContentDigest, 100, Soon))!.Value.ToArray(), Is.EqualTo(Utf8(Content)));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [Test] // larger than what is gathered before it is handed to the store
    public async Task A_large_upload_arrives_whole()
    {
        byte[] data = new byte[2_500_000];
        new Random(3).NextBytes(data);
        var digest = Digest.Of(DigestFunction.Sha256, data);
        var messages = data.Chunk(300_000).Select((chunk, i) => new WriteRequest
        {
            ResourceName = i == 0 ? Plain(digest) : "",
            WriteOffset = i * 300_000L,
            FinishWrite = (i + 1) * 300_000 >= data.Length,
            Data = ByteString.CopyFrom(chunk),
        });

        Assert.That(await WriteAsync([.. messages]), Is.EqualTo(data.Length));
        Assert.That((await Store.ReadAllAsync(digest, data.Length, Soon))!.Value.ToArray(), Is.EqualTo(data));
    }

    [TestCase("path/of/file.o")] // REAPI N3
    [TestCase("logstreams/out.txt")]
    [TestCase("logstreams/00000000000000000000000000000001/00000000000000000000000000000002")]
    public async Task Metadata_behind_the_size_is_ignored(string metadata)
    {
        string name = $"inst/uploads/id/blobs/{ContentDigest}/{metadata}";
        await WriteAsync(Message(Content, 0, finish: true, name: name));

        Assert.That(await IsStoredAsync(ContentDigest));
        Assert.That((await Bytes.QueryWriteStatusAsync(new QueryWriteStatusRequest { ResourceName = name }, cancellationToken: Soon)).Complete);
    }

    [TestCase("uploads/id/blobs/{0}", "uploads/id/blobs/{1}")] // REAPI BW1
    [TestCase("uploads/id/blobs/{0}", "uploads/other/blobs/{0}")]
    public async Task A_later_message_with_another_name_is_INVALID_ARGUMENT(string first, string second)
    {
        string Name(string form) => string.Format(null, form, ContentDigest, DigestOf("else"));

        Assert.That(
            await CodeOf(() => WriteAsync(Message("hello", 0, name: Name(first)), Message(" world", 5, finish: true, name: Name(second)))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(ContentDigest), Is.False);
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [TestCase("")] // REAPI BW1, N2
    [TestCase("blobs/{0}")]
    [TestCase("uploads/blobs/{0}")]
    [TestCase("uploads/id/compressed-blobs/deflate/{0}")]
    [TestCase("uploads/id/blobs/x/1")]
    [TestCase("uploads/id/blobs")]
    public async Task A_malformed_name_is_INVALID_ARGUMENT_and_leaves_nothing(string form)
    {
        string name = string.Format(null, form, ContentDigest);

        Assert.That(await CodeOf(() => WriteAsync(Message(Content, 0, finish: true, name: name))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => StatusAsync(name)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [Test] // REAPI BW1
    public async Task A_stream_without_a_message_is_INVALID_ARGUMENT() =>
        Assert.That(await CodeOf(() => WriteAsync()), Is.EqualTo(StatusCode.InvalidArgument));

    [TestCase(1)] // REAPI BW2
    [TestCase(-1)]
    [TestCase(long.MaxValue)]
    public async Task A_first_offset_that_is_not_the_committed_size_is_INVALID_ARGUMENT(long offset)
    {
        Assert.That(
            await CodeOf(() => WriteAsync(Message(Content, offset, finish: true, name: Plain(ContentDigest)))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
        Assert.That(Store.Usage.ReservedBytes, Is.Zero);
    }

    [TestCase(4)] // REAPI BW2: a gap and an overlap
    [TestCase(6)]
    public async Task A_later_offset_that_does_not_follow_is_INVALID_ARGUMENT(long offset)
    {
        Assert.That(
            await CodeOf(() => WriteAsync(Message("hello", 0, name: Plain(ContentDigest)), Message(" world", offset, finish: true))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(ContentDigest), Is.False);
    }

    [Test] // REAPI BW4
    public async Task A_message_after_finish_write_is_INVALID_ARGUMENT_and_nothing_is_stored()
    {
        Assert.That(
            await CodeOf(() => WriteAsync(Message(Content, 0, finish: true, name: Plain(ContentDigest)), Message("", 11))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(ContentDigest), Is.False);
        Assert.That(Services.UnfinishedUploads, Is.Zero);
        Assert.That(Store.Usage.ReservedBytes, Is.Zero);
    }

    [Test] // REAPI BW4, BW9, BW2: half an upload, the question, the other half
    public async Task An_upload_that_was_broken_off_goes_on_where_it_was()
    {
        string name = Plain(ContentDigest);

        Assert.That(await WriteAsync(Message("hello", 0, name: name)), Is.EqualTo(5));
        Assert.That(await StatusAsync(name), Is.EqualTo((5L, false)));
        Assert.That(await WriteAsync(Message(" world", 5, finish: true, name: name)), Is.EqualTo(11));
        Assert.That(await StatusAsync(name), Is.EqualTo((11L, true)));
        Assert.That(await IsStoredAsync(ContentDigest));
    }

    [Test] // REAPI BW9: what the client had sent when it vanished counts
    public async Task A_cancelled_call_keeps_what_it_brought()
    {
        string name = Plain(ContentDigest);
        using (var call = Bytes.Write())
        {
            await SendAsync(call, Message("hello", 0, name: name));
        }

        // The offset tells when the server has seen the call end and put its bytes away.
        long committed = 0;
        while (committed != 5)
        {
            Soon.ThrowIfCancellationRequested();
            try
            {
                (committed, _) = await StatusAsync(name);
            }
            catch (RpcException unknown) when (unknown.StatusCode == StatusCode.NotFound)
            {
                Assert.Fail("the bytes were dropped");
            }
        }

        Assert.That(await WriteAsync(Message(" world", 5, finish: true, name: name)), Is.EqualTo(11));
    }

    [Test] // most retry loops forget their first attempt
    public async Task An_upload_may_begin_again_at_0()
    {
        string name = Plain(ContentDigest);
        await WriteAsync(Message("hel", 0, name: name));

        Assert.That(await WriteAsync(Message(Content, 0, finish: true, name: name)), Is.EqualTo(11));
        Assert.That(Store.Usage.ReservedBytes, Is.Zero);
    }

    [Test] // REAPI N3: the whole name is the key
    public async Task The_same_id_may_upload_different_blobs()
    {
        await WriteAsync(Message("hello", 0, name: Plain(ContentDigest)));
        var other = DigestOf("other");

        Assert.That(await WriteAsync(Message("other", 0, finish: true, name: Plain(other))), Is.EqualTo(5));
        Assert.That(await StatusAsync(Plain(ContentDigest)), Is.EqualTo((5L, false)));
        Assert.That(await CodeOf(() => StatusAsync(Plain(ContentDigest, "another"))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // a connection whose end nobody noticed must not keep its client out
    public async Task A_client_that_comes_back_takes_over_from_its_own_leftover()
    {
        string name = Plain(ContentDigest);
        using var leftover = Bytes.Write();
        await SendAsync(leftover, Message("hel", 0, name: name));

        Assert.That(await WriteAsync(Message(Content, 0, finish: true, name: name)), Is.EqualTo(11));
        Assert.That(await CodeOf(async () => await leftover.ResponseAsync), Is.Not.EqualTo(StatusCode.OK));
    }

    [Test] // REAPI BW5
    public async Task A_blob_that_is_here_already_is_answered_at_once()
    {
        await StoreAsync(Content);
        using var plain = Bytes.Write();
        await plain.RequestStream.WriteAsync(Message("hel", 0, name: Plain(ContentDigest)), Soon);
        using var compressed = Bytes.Write();
        await compressed.RequestStream.WriteAsync(Message("xyz", 0, name: Compressed(ContentDigest)), Soon);

        // Neither stream was completed by its client.
        Assert.That((await plain.ResponseAsync).CommittedSize, Is.EqualTo(11));
        Assert.That((await compressed.ResponseAsync).CommittedSize, Is.EqualTo(-1));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [TestCase("hello there", TestName = "Other content of the same size is INVALID_ARGUMENT and not stored")] // REAPI BW7
    [TestCase("hello", TestName = "Fewer bytes than declared are INVALID_ARGUMENT and not stored")]
    [TestCase("hello world!", TestName = "More bytes than declared are INVALID_ARGUMENT and not stored")]
    public async Task Wrong_content(string content)
    {
        Assert.That(
            await CodeOf(() => WriteAsync(Message(content, 0, finish: true, name: Plain(ContentDigest)))),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(ContentDigest), Is.False);
        Assert.That(Services.UnfinishedUploads, Is.Zero);
        Assert.That(Store.Usage.ReservedBytes, Is.Zero);
        Assert.That(await CodeOf(() => StatusAsync(Plain(ContentDigest))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI BW7: as soon as it is known, not at the end
    public async Task Too_many_bytes_fail_before_the_client_has_finished()
    {
        using var call = Bytes.Write();
        await call.RequestStream.WriteAsync(Message("hello world and more", 0, name: Plain(ContentDigest)), Soon);

        Assert.That(await CodeOf(async () => await call.ResponseAsync), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI BW8
    public async Task A_blob_above_the_announced_size_is_refused_on_its_name()
    {
        await RestartAsync(new ServicesOptions { BlobBytesMax = 10 });
        using var call = Bytes.Write();
        await call.RequestStream.WriteAsync(Message("", 0, name: Plain(ContentDigest)), Soon);

        Assert.That(await CodeOf(async () => await call.ResponseAsync), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI BW8, G1
    public async Task A_full_store_is_RESOURCE_EXHAUSTED_before_bytes_travel()
    {
        var huge = new Digest[] { Digest.FromHash(DigestFunction.Sha256, Convert.FromHexString(ContentDigest.Hash), 1L << 40 >> 5) }[0];
        var failure = await FailureOf(() => WriteAsync(Message("x", 0, name: Plain(huge))));

        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [Test] // REAPI BW9
    public async Task An_unknown_upload_is_NOT_FOUND_and_a_present_blob_is_complete()
    {
        Assert.That(await CodeOf(() => StatusAsync(Plain(ContentDigest))), Is.EqualTo(StatusCode.NotFound));
        await StoreAsync(Content);
        Assert.That(await StatusAsync(Plain(ContentDigest)), Is.EqualTo((11L, true)));
        Assert.That(await StatusAsync(Compressed(ContentDigest)), Is.EqualTo((11L, true)));
    }

    [Test] // REAPI BW6, BW3: later offsets count compressed bytes
    public async Task A_compressed_upload_commits_the_compressed_bytes_it_took()
    {
        byte[] data = new byte[700_000];
        new Random(4).NextBytes(data.AsSpan(0, 350_000));
        var digest = Digest.Of(DigestFunction.Sha256, data);
        byte[] packed = Zstd.Compress(data);
        int half = packed.Length / 2;

        long committed = await WriteAsync(
            new WriteRequest { ResourceName = Compressed(digest), Data = ByteString.CopyFrom(packed[..half]) },
            new WriteRequest { WriteOffset = half, Data = ByteString.CopyFrom(packed[half..]), FinishWrite = true });

        Assert.That(committed, Is.EqualTo(packed.Length));
        Assert.That((await Store.ReadAllAsync(digest, data.Length, Soon))!.Value.ToArray(), Is.EqualTo(data));
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [Test] // REAPI BW3, BW9
    public async Task A_compressed_upload_that_was_broken_off_starts_again()
    {
        byte[] packed = Zstd.Compress(Utf8(Content));
        string name = Compressed(ContentDigest);
        await WriteAsync(new WriteRequest { ResourceName = name, Data = ByteString.CopyFrom(packed[..4]) });

        Assert.That(await StatusAsync(name), Is.EqualTo((0L, false)));
        Assert.That(
            await CodeOf(() => WriteAsync(new WriteRequest { ResourceName = name, WriteOffset = 4, Data = ByteString.CopyFrom(packed[4..]), FinishWrite = true })),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(
            await WriteAsync(new WriteRequest { ResourceName = name, Data = ByteString.CopyFrom(packed), FinishWrite = true }),
            Is.EqualTo(packed.Length));
    }

    private static IEnumerable<TestCaseData> BadZstd()
    {
        byte[] packed = Zstd.Compress(Utf8(Content));
        yield return new TestCaseData(Utf8("no zstd at all")).SetArgDisplayNames("not zstd");
        yield return new TestCaseData(packed[..^1]).SetArgDisplayNames("cut short");
        yield return new TestCaseData(Zstd.Compress(new byte[1 << 22])).SetArgDisplayNames("a bomb");
        yield return new TestCaseData(Zstd.Compress(Utf8("hello there"))).SetArgDisplayNames("other content");
        yield return new TestCaseData(Array.Empty<byte>()).SetArgDisplayNames("nothing");
    }

    [TestCaseSource(nameof(BadZstd))] // REAPI BW7, BW10
    public async Task A_compressed_upload_of_something_else_is_INVALID_ARGUMENT_and_not_stored(byte[] packed)
    {
        Assert.That(
            await CodeOf(() => WriteAsync(new WriteRequest { ResourceName = Compressed(ContentDigest), Data = ByteString.CopyFrom(packed), FinishWrite = true })),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await IsStoredAsync(ContentDigest), Is.False);
        Assert.That(Store.Usage.ReservedBytes, Is.Zero);
    }

    [Test] // nothing unbounded
    public async Task An_upload_that_nobody_comes_back_for_is_forgotten()
    {
        await WriteAsync(Message("hello", 0, name: Plain(ContentDigest)));
        Assert.That(Store.Usage.ReservedBytes, Is.EqualTo(11));

        Time.Advance(Options.UploadIdleMax);
        await _lent!.GivenBackAsync();

        Assert.That((Services.UnfinishedUploads, Store.Usage.ReservedBytes), Is.EqualTo((0, 0L)));
        Assert.That(await CodeOf(() => StatusAsync(Plain(ContentDigest))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // nothing unbounded: the client is alive and its call is open
    public async Task An_upload_that_brings_nothing_for_too_long_is_ended()
    {
        using var silent = Bytes.Write();
        await SendAsync(silent, Message("hello", 0, name: Plain(ContentDigest)));
        Time.Advance(Options.UploadSilenceMax);

        Assert.That(await CodeOf(async () => await silent.ResponseAsync), Is.EqualTo(StatusCode.DeadlineExceeded));
    }

    [TestCase(true)] // F02
    [TestCase(false)]
    public async Task F02_A_stranger_who_uploads_the_same_blob_holds_nobody_up(bool isSilent)
    {
        byte[] data = new byte[4 << 20];
        new Random(2).NextBytes(data);
        var digest = Digest.Of(DigestFunction.Sha256, data);
        using var stranger = Bytes.Write();
        await SendAsync(stranger, Piece(0, name: Plain(digest, "stranger")));
        if (!isSilent) await stranger.RequestStream.WriteAsync(Piece(1), Soon);

        // The clock stands still: whoever waits for the stranger's patience or pace waits for ever.
        var pieces = Enumerable.Range(0, 4).Select(i => Piece(i, name: i == 0 ? Plain(digest, "ours") : "")).ToArray();
        Assert.That(await WriteAsync(pieces), Is.EqualTo(data.Length));
        Assert.That((await Store.ReadAllAsync(digest, data.Length, Soon))!.Value.ToArray(), Is.EqualTo(data));

        // And the stranger is answered before it has sent everything.
        try
        {
            await stranger.RequestStream.WriteAsync(Piece(isSilent ? 1 : 2), Soon);
        }
        catch (RpcException answered) when (answered.StatusCode == StatusCode.OK)
        {
            // What it sent before came to the server after the blob was there.
        }

        Assert.That((await stranger.ResponseAsync).CommittedSize, Is.EqualTo(data.Length));

        WriteRequest Piece(int index, string name = "") => new()
        {
            ResourceName = name,
            WriteOffset = index << 20,
            Data = ByteString.CopyFrom(data, index << 20, 1 << 20),
            FinishWrite = index == 3,
        };
    }

    [Test] // F02: in a batch, and compressed
    public async Task F02_A_stranger_holds_up_no_batch_and_no_compressed_upload()
    {
        foreach (bool isBatch in new[] { true, false })
        {
            string content = $"the same blob, in a batch: {isBatch}";
            var digest = DigestOf(content);
            using var stranger = Bytes.Write();
            await SendAsync(stranger, Message(content[..5], 0, name: Plain(digest, "stranger")));
            if (isBatch)
            {
                var item = new BatchUpdateBlobsRequest.Types.Request { Digest = digest.ToWire(), Data = ByteString.CopyFromUtf8(content) };
                var answer = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { item } }, cancellationToken: Soon);
                Assert.That(answer.Responses.Single().Status?.Code ?? 0, Is.Zero);
            }
            else
            {
                byte[] packed = Zstd.Compress(Utf8(content));
                var all = new WriteRequest { ResourceName = Compressed(digest), Data = ByteString.CopyFrom(packed), FinishWrite = true };
                Assert.That(await WriteAsync(all), Is.EqualTo(packed.Length));
            }

            Assert.That(await IsStoredAsync(digest));
        }
    }

    [Test] // nothing unbounded
    public async Task Beyond_the_limit_the_longest_idle_upload_goes()
    {
        await RestartAsync(new ServicesOptions { UploadsMax = 2 });
        await WriteAsync(Message("hello", 0, name: Plain(ContentDigest, "a")));
        Time.Advance(TimeSpan.FromSeconds(1));
        await WriteAsync(Message("hello", 0, name: Plain(ContentDigest, "b")));
        await WriteAsync(Message("hello", 0, name: Plain(ContentDigest, "c")));

        Assert.That(await CodeOf(() => StatusAsync(Plain(ContentDigest, "a"))), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await StatusAsync(Plain(ContentDigest, "b")), Is.EqualTo((5L, false)));
        Assert.That(Services.UnfinishedUploads, Is.EqualTo(2));
    }

    [Test] // REAPI D2
    public async Task The_empty_blob_can_be_uploaded()
    {
        var empty = Digest.Empty(DigestFunction.Sha256);

        Assert.That(await WriteAsync(Message("", 0, finish: true, name: Plain(empty))), Is.Zero);
    }
}
