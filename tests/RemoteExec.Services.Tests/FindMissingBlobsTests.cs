using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

internal sealed class FindMissingBlobsTests : ServicesFixture
{
    private async Task<IReadOnlyList<WireDigest>> AskAsync(params WireDigest[] digests) =>
        (await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { digests } })).MissingBlobDigests;

    [Test] // REAPI C1
    public async Task Only_absent_digests_come_back_in_the_order_asked()
    {
        var present = (await StoreAsync("here")).ToWire();
        WireDigest first = DigestOf("absent 1").ToWire(), second = DigestOf("absent 2").ToWire();

        Assert.That(await AskAsync(second, present, first), Is.EqualTo(new[] { second, first }));
    }

    [Test] // REAPI C1
    public async Task A_digest_asked_twice_is_tolerated()
    {
        var absent = DigestOf("absent").ToWire();

        Assert.That(await AskAsync(absent, absent), Is.EqualTo(new[] { absent }));
    }

    [TestCase(0, 4999)]
    [TestCase(2500, 4999)]
    [TestCase(4998, 4999)]
    public async Task Of_many_the_one_that_is_asked_twice_is_answered_once(int first, int again)
    {
        var absent = Enumerable.Range(0, 5000).Select(i => DigestOf($"absent {i}").ToWire()).ToArray();
        absent[again] = absent[first];

        Assert.That(await AskAsync(absent), Is.EqualTo(absent[..again]));
    }

    [Test] // REAPI D2
    public async Task The_empty_blob_is_never_missing()
    {
        var request = new FindMissingBlobsRequest
        {
            BlobDigests = { Digest.Empty(DigestFunction.Blake3).ToWire() },
            DigestFunction = WireDigestFunction.Blake3,
        };

        Assert.That((await Cas.FindMissingBlobsAsync(request)).MissingBlobDigests, Is.Empty);
        Assert.That(await AskAsync(Digest.Empty(DigestFunction.Sha256).ToWire()), Is.Empty);
    }

    [Test]
    public async Task Asking_for_nothing_is_answered_with_nothing() => Assert.That(await AskAsync(), Is.Empty);

    [TestCase(DigestFunction.Md5)] // REAPI D4
    [TestCase(DigestFunction.Sha1)]
    [TestCase(DigestFunction.Sha384)]
    [TestCase(DigestFunction.Sha512)]
    public async Task An_unset_function_is_inferred_from_the_length_of_the_hash(DigestFunction function)
    {
        var digest = Digest.Of(function, "x"u8);
        Assert.That(await AskAsync(digest.ToWire()), Has.Count.EqualTo(1));
        await RemoteExec.Storage.BlobStoreExtensions.WriteAllAsync(Store, digest, "x"u8.ToArray(), Soon);

        Assert.That(await AskAsync(digest.ToWire()), Is.Empty);
    }

    [Test] // REAPI D4: BLAKE3 has the length of SHA-256
    public async Task Blake3_has_to_be_named()
    {
        var digest = Digest.Of(DigestFunction.Blake3, "x"u8);
        await RemoteExec.Storage.BlobStoreExtensions.WriteAllAsync(Store, digest, "x"u8.ToArray(), Soon);
        var named = new FindMissingBlobsRequest { BlobDigests = { digest.ToWire() }, DigestFunction = WireDigestFunction.Blake3 };

        Assert.That((await Cas.FindMissingBlobsAsync(named)).MissingBlobDigests, Is.Empty);
        Assert.That(await AskAsync(digest.ToWire()), Has.Count.EqualTo(1));
    }

    [Test] // REAPI D5
    public async Task Functions_do_not_mix()
    {
        Assert.That(
            await CodeOf(() => AskAsync(Digest.Of(DigestFunction.Md5, "x"u8).ToWire(), DigestOf("x").ToWire())),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI C1
    public async Task Ten_thousand_digests_are_one_call()
    {
        var all = Enumerable.Range(0, 10_000).Select(number => DigestOf($"blob {number}")).ToArray();
        for (int i = 0; i < all.Length; i += 2)
            await RemoteExec.Storage.BlobStoreExtensions.WriteAllAsync(Store, all[i], Utf8($"blob {i}"), Soon);

        var missing = await AskAsync([.. all.Select(digest => digest.ToWire())]);

        Assert.That(missing, Is.EqualTo(all.Where((_, i) => i % 2 == 1).Select(digest => digest.ToWire())));
    }

    [Test] // a list that is cut would say "present" of what it leaves out
    public async Task F01_an_answer_that_no_usual_client_takes_is_refused_with_what_to_do()
    {
        var absent = Enumerable.Range(0, 60_000).Select(number => DigestOf($"absent {number}").ToWire()).ToArray();

        var refusal = await FailureOf(() => AskAsync(absent));

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refusal.Status.Detail, Does.StartWith("60000 of 60000 blobs are missing").And.EndsWith("ask for fewer at once"));
        Assert.That(await AskAsync(absent[..50_000]), Has.Count.EqualTo(50_000));
    }

    [Test] // REAPI C1, D4 of DESIGN: Bazel's lease extension depends on it
    public async Task Being_reported_present_extends_a_blobs_life()
    {
        var digest = await StoreAsync("kept");
        Time.Advance(TimeSpan.FromHours(3));
        await AskAsync(digest.ToWire());
        Time.Advance(TimeSpan.FromHours(3));

        // The store is filled to its limit: what nobody was promised has to go.
        for (int i = 0; i < 70; i++)
        {
            byte[] filler = new byte[1 << 20];
            filler[0] = (byte)i;
            try
            {
                await RemoteExec.Storage.BlobStoreExtensions.WriteAllAsync(Store, DigestFunction.Sha256, filler, Soon);
            }
            catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
            {
                break;
            }
        }

        Assert.That(await IsStoredAsync(digest));
    }

    [Test] // the message is read by hand, so it has to stand what a parser stands
    public async Task Unknown_fields_are_skipped_and_broken_messages_refused()
    {
        var digest = DigestOf("absent");
        byte[] request =
        [
            0x78, 0x01,                                     // field 15, varint: not ours
            0x12, 0x47, 0x0a, 0x40, .. Utf8(digest.Hash),   // blob_digests { hash
            0x10, 0x06, 0x18, 0x05,                         //   size_bytes 6, field 3: not ours }
        ];
        // The inner length is 2 + 64 + 2 + 2 = 70 = 0x46.
        request[3] = 0x46;

        Assert.That(await RawAsync(request), Is.EqualTo(new[] { digest.ToWire() }));
        Assert.That(await CodeOf(() => RawAsync([0x12, 0x7f, 0x0a])), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => RawAsync([0x13])), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => RawAsync([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // the usual way has a way of its own, which ends at each of these sizes or begins
    public async Task Digests_of_every_size_are_read()
    {
        long[] sizes = [1, 127, 128, 16_383, 16_384, (1L << 49) - 1, 1L << 49, (1L << 56) - 1, 1L << 56, (1L << 62) + 1, long.MaxValue];
        var asked = sizes.Select(size => new WireDigest { Hash = DigestOf($"{size}").Hash, SizeBytes = size }).ToArray();

        Assert.That(await AskAsync(asked), Is.EqualTo(asked));
        Assert.That(await CodeOf(() => AskAsync(new WireDigest { Hash = asked[0].Hash, SizeBytes = -1 })), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task A_digest_is_read_however_it_is_written()
    {
        var digest = DigestOf("absent");
        byte[] hash = [0x0a, 0x40, .. Utf8(digest.Hash)];
        byte[][] ways =
        [
            [.. hash, 0x10, 0x06],
            [0x10, 0x06, .. hash],                          // the size first
            [.. hash, 0x10, 0x86, 0x00],                    // a size with a byte more than it takes
            [.. hash, 0x10, 0x05, 0x10, 0x06],              // twice: the last counts
            [.. hash, .. hash, 0x10, 0x06],
            [0x8a, 0x00, 0x40, .. Utf8(digest.Hash), 0x10, 0x06], // a tag with a byte more
            [0x0a, 0xc0, 0x00, .. Utf8(digest.Hash), 0x10, 0x06], // a length with a byte more
        ];

        foreach (byte[] way in ways)
        {
            byte[] length = way.Length < 0x80 ? [(byte)way.Length] : [(byte)(way.Length | 0x80), (byte)(way.Length >> 7)];
            Assert.That(await RawAsync([0x12, .. length, .. way]), Is.EqualTo(new[] { digest.ToWire() }), Convert.ToHexString(way));
        }
    }

    private async Task<IReadOnlyList<WireDigest>> RawAsync(byte[] request)
    {
        var method = new Method<byte[], FindMissingBlobsResponse>(
            MethodType.Unary, FindMissingBlobs.Method.ServiceName, FindMissingBlobs.Method.Name,
            Marshallers.Create(bytes => bytes, bytes => bytes),
            Marshallers.Create(response => response.ToByteArray(), FindMissingBlobsResponse.Parser.ParseFrom));
        var response = await Channel.CreateCallInvoker().AsyncUnaryCall(method, null, new CallOptions(cancellationToken: Soon), request);
        return [.. response.MissingBlobDigests.Select(digest => new WireDigest { Hash = digest.Hash, SizeBytes = digest.SizeBytes })];
    }
}
