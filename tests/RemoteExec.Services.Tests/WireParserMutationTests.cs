using System.Buffers;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

/// <summary>
/// The parsers that are written by hand against the generated ones: of a changed message both make the same, or both refuse it. Where Google's for .NET takes what
/// other languages' do not (<see cref="ProtoMutants.IsOdd"/>), ours may refuse, too.
/// </summary>
public sealed class WireParserMutationTests
{
    private const int Seed = 20261130;
    private const int Messages = 10_000;

    private static readonly string Hash = Digest.Of(DigestFunction.Sha256, "a"u8).Hash;

    private static WireDigest Of(string hash, long size) => new() { Hash = hash, SizeBytes = size };

    [Test]
    public void A_WriteRequest_is_read_as_the_generated_parser_reads_it() => Compare(
        new WriteRequest { ResourceName = $"uploads/u/blobs/{Hash}/5", WriteOffset = 300, FinishWrite = true, Data = ByteString.CopyFromUtf8("hello") },
        bytes =>
        {
            // In pieces, as it comes from a connection.
            using var message = WriteMessage.Parse(Pieces.Of(bytes));
            return $"{message.ResourceName} {message.WriteOffset} {message.FinishWrite} {Convert.ToHexString(message.Data.Span)}";
        },
        request => $"{request.ResourceName} {request.WriteOffset} {request.FinishWrite} {Convert.ToHexString(request.Data.Span)}");

    [Test]
    public void A_FindMissingBlobsRequest_is_read_as_the_generated_parser_reads_it() => Compare(
        new FindMissingBlobsRequest { InstanceName = "some/where", BlobDigests = { Of(Hash, 5), Of(Hash, 1L << 40) }, DigestFunction = WireDigestFunction.Sha256 },
        bytes =>
        {
            using var query = DigestQuery.Parse(bytes, DigestFunction.Sha256);
            return $"{query.Instance} {string.Join(' ', query.Digests)}";
        },
        request =>
        {
            var function = WireDigests.FunctionOf(request.DigestFunction, request.BlobDigests.FirstOrDefault(), DigestFunction.Sha256);
            return $"{Door.Instance(request.InstanceName)} {string.Join(' ', request.BlobDigests.Select(digest => WireDigests.FromWire(digest, function, "blob_digests")))}";
        });

    [Test]
    public void A_BatchUpdateBlobsRequest_is_read_as_the_generated_parser_reads_it() => Compare(
        new BatchUpdateBlobsRequest
        {
            InstanceName = "some/where",
            Requests =
            {
                new BatchUpdateBlobsRequest.Types.Request { Digest = Of(Hash, 5), Data = ByteString.CopyFromUtf8("hello") },
                new BatchUpdateBlobsRequest.Types.Request { Digest = Of(Hash, 7), Data = ByteString.CopyFromUtf8("zzz"), Compressor = WireCompressor.Zstd },
            },
            DigestFunction = WireDigestFunction.Sha256,
        },
        bytes =>
        {
            var query = BatchQuery.ParseUpdate(bytes, DigestFunction.Sha256);
            return string.Join(' ', query.Entries.Select(entry => $"{DigestOf(bytes, entry, query.Function)} {entry.Compressor} {Convert.ToHexString(bytes[entry.Data])}"));
        },
        request =>
        {
            Door.Instance(request.InstanceName);
            var function = WireDigests.FunctionOf(request.DigestFunction, request.Requests.FirstOrDefault()?.Digest, DigestFunction.Sha256);
            return string.Join(' ', request.Requests.Select(entry => $"{DigestOf(entry.Digest, function)} {entry.Compressor} {Convert.ToHexString(entry.Data.Span)}"));
        });

    [Test]
    public void A_BatchReadBlobsRequest_is_read_as_the_generated_parser_reads_it() => Compare(
        new BatchReadBlobsRequest
        {
            InstanceName = "some/where", Digests = { Of(Hash, 5), Of(Hash, 1L << 40) }, AcceptableCompressors = { WireCompressor.Identity, WireCompressor.Zstd },
        },
        bytes =>
        {
            var query = BatchQuery.ParseRead(bytes, DigestFunction.Sha256);
            return $"{query.AcceptsZstd} {string.Join(' ', query.Entries.Select(entry => DigestOf(bytes, entry, query.Function)))}";
        },
        request =>
        {
            Door.Instance(request.InstanceName);
            var function = WireDigests.FunctionOf(request.DigestFunction, request.Digests.FirstOrDefault(), DigestFunction.Sha256);
            return $"{request.AcceptableCompressors.Contains(WireCompressor.Zstd)} {string.Join(' ', request.Digests.Select(digest => DigestOf(digest, function)))}";
        });

    [TestCase("00", TestName = "{m}(field number zero)")]
    [TestCase("0000", TestName = "{m}(field number zero, a varint)")]
    [TestCase("0200", TestName = "{m}(field number zero, bytes)")]
    [TestCase("8A80808010" + "00", TestName = "{m}(a tag of more than 32 bits that ends like that of the name)")]
    [TestCase("F8FFFFFFFFFFFFFFFF01" + "00", TestName = "{m}(a tag of 64 bits)")]
    [TestCase("0B0C", TestName = "{m}(a group)")]
    [TestCase("0F", TestName = "{m}(a type that is none)")]
    [TestCase("0A80808080808080808080" + "01", TestName = "{m}(a length of eleven bytes)")]
    [TestCase("520568", TestName = "{m}(data that end early)")]
    public void A_field_that_cannot_be_is_INVALID_ARGUMENT(string hex)
    {
        byte[] bytes = Convert.FromHexString(hex);

        Assert.That(() => WriteMessage.Parse(new ReadOnlySequence<byte>(bytes)), Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
        Assert.That(() => DigestQuery.Parse(bytes, default), Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
        Assert.That(() => BatchQuery.ParseRead(bytes, default), Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
    }

    private static string DigestOf(ReadOnlySpan<byte> message, BatchEntry entry, DigestFunction function) =>
        entry.TryGetDigest(message, function, out var digest) is null ? $"{digest}" : "none";

    private static string DigestOf(WireDigest? wire, DigestFunction function) => WireDigests.TryFromWire(wire, function, out var digest, out _) ? $"{digest}" : "none";

    private static void Compare<T>(T right, Func<byte[], string> ours, Func<T, string> generated)
        where T : IMessage<T>, new()
    {
        var mutants = new ProtoMutants(Seed);
        var parser = new MessageParser<T>(() => new T());
        int taken = 0, refused = 0;
        for (int i = 0; i < Messages; i++)
        {
            byte[] mutant = mutants.Of(right);
            string? expected = Meaning(() => generated(parser.ParseFrom(mutant)));
            string? seen = Meaning(() => ours(mutant));
            if (seen != expected && !(seen is null && ProtoMutants.IsOdd(mutant, right.Descriptor)))
                Assert.Fail($"seed {Seed}, number {i}, {Convert.ToHexString(mutant)}: expected {expected ?? "a refusal"}, seen {seen ?? "a refusal"}");
            if (seen is null) refused++;
            else taken++;
        }

        Assert.That(Math.Min(taken, refused), Is.GreaterThan(Messages / 20), $"seed {Seed}: {taken} were taken and {refused} refused");
    }

    /// <summary>Null is a refusal. Any other exception than those is a fault, and the test's.</summary>
    private static string? Meaning(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (Exception refusal) when (refusal is RpcException or InvalidProtocolBufferException)
        {
            return null;
        }
    }

    /// <summary>A message in segments of a few bytes.</summary>
    private sealed class Pieces : ReadOnlySequenceSegment<byte>
    {
        private const int PieceBytes = 7;

        public static ReadOnlySequence<byte> Of(byte[] bytes)
        {
            var first = new Pieces { Memory = bytes.AsMemory(0, Math.Min(PieceBytes, bytes.Length)) };
            var last = first;
            for (int at = PieceBytes; at < bytes.Length; at += PieceBytes)
            {
                var next = new Pieces { Memory = bytes.AsMemory(at, Math.Min(PieceBytes, bytes.Length - at)), RunningIndex = at };
                last.Next = next;
                last = next;
            }

            return new ReadOnlySequence<byte>(first, 0, last, last.Memory.Length);
        }
    }
}
