using System.Buffers;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using RemoteExec.Protocol;
using RemoteExec.Services;
using RemoteExec.Storage;

namespace RemoteExec.Fuzz;

/// <summary>Messages of clients, and blobs that are messages.</summary>
internal static class WireTargets
{
    private const int PlainBytes = 3000;

    private static readonly Digest Some = Digest.Of(DigestFunction.Sha256, "some"u8);

    private static readonly WireDirectory Folder = new()
    {
        Files = { new FileNode { Name = "a", Digest = Some.ToWire() }, new FileNode { Name = "b", Digest = Some.ToWire(), IsExecutable = true } },
        Symlinks = { new SymlinkNode { Name = "l", Target = "a" } },
    };

    private static readonly WireDirectory Root = new()
    {
        Directories = { new DirectoryNode { Name = "d", Digest = Digest.Of(DigestFunction.Sha256, Folder.ToByteArray()).ToWire() } },
    };

    public static IEnumerable<FuzzTarget> All =>
    [
        FuzzTarget.Of("write-message", Messages(new WriteRequest { ResourceName = $"uploads/u/blobs/{Some}", WriteOffset = 300, FinishWrite = true, Data = ByteString.CopyFromUtf8("hello") }), bytes =>
        {
            using var message = WriteMessage.Parse(new ReadOnlySequence<byte>(bytes));
            FuzzTarget.Require(message.Data.Length + message.ResourceName.Length <= bytes.Length, "a message has more in it than came");
            return message.FinishWrite ? "last" : "more";
        }),
        FuzzTarget.Of("find-missing", Messages(new FindMissingBlobsRequest { InstanceName = "i", BlobDigests = { Some.ToWire(), Some.ToWire() }, DigestFunction = WireDigestFunction.Sha256 }), bytes =>
        {
            using var query = DigestQuery.Parse(bytes, DigestFunction.Sha256);
            FuzzTarget.Require(query.Answer(bytes, [.. query.Digests.Distinct()]).Length <= bytes.Length, "an answer is longer than its question");
            return query.Digests.Count > 0 ? "some" : "none";
        }),
        FuzzTarget.Of("batch-update", Messages(new BatchUpdateBlobsRequest { Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = Some.ToWire(), Data = ByteString.CopyFromUtf8("some") } } }), bytes =>
            Entries(bytes, BatchQuery.ParseUpdate(bytes, DigestFunction.Sha256))),
        FuzzTarget.Of("batch-read", Messages(new BatchReadBlobsRequest { Digests = { Some.ToWire(), Some.ToWire() }, AcceptableCompressors = { WireCompressor.Zstd, WireCompressor.Identity } }), bytes =>
            Entries(bytes, BatchQuery.ParseRead(bytes, DigestFunction.Sha256))),
        FuzzTarget.Of("directory", [Folder.ToByteArray(), Root.ToByteArray()], bytes =>
        {
            var directory = DirectoryBlob.Parse(bytes, Digest.Of(DigestFunction.Sha256, bytes), DirectoryUse.Input, new TreeLimits());
            return directory.Directories.Count > 0 ? "with folders" : "files";
        }),
        FuzzTarget.Of("tree", [new Tree { Root = Root, Children = { Folder } }.ToByteArray()], bytes =>
        {
            var tree = TreeMessage.Parse(bytes, Digest.Of(DigestFunction.Sha256, bytes));
            FuzzTarget.Require(tree.Directories.ContainsKey(tree.Root), "a tree lacks its root");
            return "tree";
        }),
        FuzzTarget.Of("zstd", [Zstd.Compress(new byte[PlainBytes]), Zstd.Compress(Plain), [.. Zstd.Compress(Plain.AsSpan(0, 1000)), .. Zstd.Compress(Plain.AsSpan(1000))]], bytes =>
        {
            FuzzTarget.Require(Zstd.Decompress(bytes, PlainBytes).Length == PlainBytes, "another size than was announced");
            return "plain";
        }),
    ];

    private static byte[] Plain { get; } = MakePlain();

    private static byte[][] Messages(IMessage right) => [right.ToByteArray()];

    private static string Entries(byte[] message, BatchQuery query)
    {
        int right = query.Entries.Count(entry => entry.TryGetDigest(message, query.Function, out _) is null);
        FuzzTarget.Require(query.Entries.Sum(entry => (long)message[entry.Data].Length) <= message.Length, "entries have more in them than came");
        return right == query.Entries.Count ? "all right" : "some not";
    }

    private static byte[] MakePlain()
    {
        byte[] bytes = new byte[PlainBytes];
        new Random(1).NextBytes(bytes.AsSpan(0, PlainBytes / 2));
        return bytes;
    }
}
