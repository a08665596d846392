using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

internal sealed class ByteStreamReadTests : ServicesFixture
{
    private async Task<byte[]> ReadAsync(string name, long offset = 0, long limit = 0, Metadata? headers = null)
    {
        var data = new MemoryStream();
        using var call = Bytes.Read(new ReadRequest { ResourceName = name, ReadOffset = offset, ReadLimit = limit }, headers);
        while (await call.ResponseStream.MoveNext(Soon)) call.ResponseStream.Current.Data.WriteTo(data);
        return data.ToArray();
    }

    [TestCase("blobs/{0}")] // REAPI N1, N4
    [TestCase("some/deep/instance/blobs/{0}")]
    [TestCase("blobs/sha256/{0}")]
    public async Task A_blob_is_read_by_any_of_its_names(string form)
    {
        var digest = await StoreAsync("content");

        Assert.That(await ReadAsync(string.Format(null, form, digest)), Is.EqualTo(Utf8("content")));
    }

    [TestCase(0, 0, "content")] // REAPI BR1, BR2
    [TestCase(3, 0, "tent")]
    [TestCase(3, 2, "te")]
    [TestCase(3, 100, "tent")]
    [TestCase(7, 0, "")]
    public async Task Offset_and_limit_cut_out_a_range(long offset, long limit, string expected)
    {
        var digest = await StoreAsync("content");

        Assert.That(await ReadAsync($"blobs/{digest}", offset, limit), Is.EqualTo(Utf8(expected)));
    }

    [TestCase(-1, 0, StatusCode.OutOfRange)] // REAPI BR1, BR2
    [TestCase(8, 0, StatusCode.OutOfRange)]
    [TestCase(long.MaxValue, 0, StatusCode.OutOfRange)]
    [TestCase(0, -1, StatusCode.InvalidArgument)]
    public async Task A_range_outside_of_the_blob_is_refused(long offset, long limit, StatusCode code)
    {
        var digest = await StoreAsync("content");

        Assert.That(await CodeOf(() => ReadAsync($"blobs/{digest}", offset, limit)), Is.EqualTo(code));
    }

    [Test] // REAPI BR1
    public async Task An_absent_blob_is_NOT_FOUND() =>
        Assert.That(await CodeOf(() => ReadAsync($"blobs/{DigestOf("absent")}")), Is.EqualTo(StatusCode.NotFound));

    [Test] // REAPI D1: the size is part of the name
    public async Task The_right_hash_with_a_wrong_size_is_NOT_FOUND()
    {
        var digest = await StoreAsync("content");

        Assert.That(await CodeOf(() => ReadAsync($"blobs/{digest.Hash}/8")), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI D2
    public async Task The_empty_blob_can_always_be_read() =>
        Assert.That(await ReadAsync($"blobs/{Digest.Empty(DigestFunction.Sha256)}"), Is.Empty);

    [Test] // more than one message, and more than one of the connection's windows
    public async Task A_large_blob_arrives_whole()
    {
        byte[] data = new byte[3_000_001];
        new Random(1).NextBytes(data);
        var digest = await Store.WriteAllAsync(DigestFunction.Sha256, data, Soon);

        Assert.That(await ReadAsync($"blobs/{digest}"), Is.EqualTo(data));
        Assert.That(await ReadAsync($"blobs/{digest}", offset: 262_145, limit: 262_144), Is.EqualTo(data[262_145..524_289]));
    }

    [Test] // REAPI BR3, BR4
    public async Task A_compressed_read_starts_at_an_offset_of_the_plain_data()
    {
        byte[] data = new byte[600_000];
        new Random(2).NextBytes(data.AsSpan(0, 300_000));
        var digest = await Store.WriteAllAsync(DigestFunction.Sha256, data, Soon);

        Assert.That(Zstd.Decompress(await ReadAsync($"compressed-blobs/zstd/{digest}"), data.Length), Is.EqualTo(data));
        Assert.That(Zstd.Decompress(await ReadAsync($"compressed-blobs/zstd/{digest}", offset: 599_000), 1000), Is.EqualTo(data[599_000..]));
    }

    [Test] // REAPI BR3
    public async Task A_compressed_read_with_a_limit_is_INVALID_ARGUMENT()
    {
        var digest = await StoreAsync("content");

        Assert.That(await CodeOf(() => ReadAsync($"compressed-blobs/zstd/{digest}", limit: 1)), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [TestCase("")] // REAPI N1, N2
    [TestCase("blobs")]
    [TestCase("blobs/x/y")]
    [TestCase("blobs/{0}/more")]
    [TestCase("compressed-blobs/{0}")]
    [TestCase("compressed-blobs/brotli/{0}")]
    [TestCase("compressed-blobs/identity/{0}")]
    [TestCase("uploads/u/blobs/{0}")]
    [TestCase("actions/blobs/{0}")]
    [TestCase("blobs/murmur3/{0}")]
    public async Task A_malformed_name_is_INVALID_ARGUMENT(string form)
    {
        var digest = await StoreAsync("content");

        Assert.That(await CodeOf(() => ReadAsync(string.Format(null, form, digest))), Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI G5
    public async Task The_header_copy_of_the_name_has_to_agree()
    {
        var digest = await StoreAsync("content");
        const string header = "build.bazel.remote.execution.v2.resource-name";

        Assert.That(await ReadAsync($"blobs/{digest}", headers: new Metadata { { header, $"blobs/{digest}" } }), Is.EqualTo(Utf8("content")));
        Assert.That(
            await CodeOf(() => ReadAsync($"blobs/{digest}", headers: new Metadata { { header, "blobs/other" } })),
            Is.EqualTo(StatusCode.InvalidArgument));
    }
}
