using System.Text;
using Build.Bazel.Remote.Asset.v1;
using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Conformance;

/// <summary>What is fuzzed. All contents are fixed, so that a seed means the same messages on every server.</summary>
internal static class FuzzMethods
{
    private const string Prefix = "build.bazel.remote.execution.v2.";

    private static readonly Blob First = Blob.Of(Encoding.ASCII.GetBytes("the first blob of the corpus"));
    private static readonly Blob Second = Blob.Of(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("and the second. ", 400))));
    private static readonly Blob Whole = Blob.Of([.. First.Content, .. Second.Content]);

    private static readonly WireDirectory Folder = new() { Files = { Trees.File("f", First.Digest, isExecutable: true) }, Symlinks = { Trees.Link("l", "f") } };

    /// <summary>Not only digests of these go wrong, but they themselves.</summary>
    public static WireDirectory Root { get; } = new() { Files = { Trees.File("a", First.Digest), Trees.File("b", Second.Digest) }, Directories = { Trees.Folder("d", Blob.Of(Folder).Digest) } };

    public static WireCommand Command { get; } = new()
    {
        Arguments = { "/bin/sh", "-c", "exit 0" },
        EnvironmentVariables = { new WireCommand.Types.EnvironmentVariable { Name = "NAME", Value = "value" } },
        OutputPaths = { "out/file", "out/other" },
        WorkingDirectory = "d",
    };

    public static WireAction Action { get; } = new()
    {
        CommandDigest = Blob.Of(Command).Digest, InputRootDigest = Blob.Of(Root).Digest, Timeout = new Duration { Seconds = 10 }, DoNotCache = true,
    };

    private static readonly Tree OutputTree = new() { Root = Root, Children = { Folder } };

    public static IReadOnlyList<Blob> Stored { get; } = [First, Second, Blob.Of(Folder), Blob.Of(Root), Blob.Of(Command), Blob.Of(Action), Blob.Of(OutputTree)];

    public static IReadOnlyList<FuzzMethod> All { get; } =
    [
        new("cas", Prefix + "ContentAddressableStorage/FindMissingBlobs", false, [new FindMissingBlobsRequest { BlobDigests = { First.Digest, Second.Digest, Whole.Digest } }]),
        new("cas", Prefix + "ContentAddressableStorage/BatchUpdateBlobs", false, [new BatchUpdateBlobsRequest { Requests = { Update(First), Compressed(Second) } }]),
        new("cas", Prefix + "ContentAddressableStorage/BatchReadBlobs", false,
            [new BatchReadBlobsRequest { Digests = { First.Digest, Whole.Digest }, AcceptableCompressors = { WireCompressor.Zstd } }]),
        new("cas", Prefix + "ContentAddressableStorage/GetTree", false, [new GetTreeRequest { RootDigest = Blob.Of(Root).Digest, PageSize = 1 }]),
        new("cas", Prefix + "ContentAddressableStorage/SplitBlob", false,
            [new SplitBlobRequest { BlobDigest = Second.Digest, ChunkingFunction = WireChunkingFunction.FastCdc2020, DigestFunction = WireDigestFunction.Sha256 }]),
        new("cas", Prefix + "ContentAddressableStorage/SpliceBlob", false,
            [new SpliceBlobRequest { BlobDigest = Whole.Digest, ChunkDigests = { First.Digest, Second.Digest }, ChunkingFunction = WireChunkingFunction.RepMaxCdc }]),
        new("bytestream", "google.bytestream.ByteStream/Read", false,
        [
            new ReadRequest { ResourceName = $"blobs/{Peer.Path(Second.Digest)}", ReadOffset = 10, ReadLimit = 100 },
            new ReadRequest { ResourceName = $"compressed-blobs/zstd/{Peer.Path(Second.Digest)}", ReadOffset = 10 },
            new ReadRequest { ResourceName = "logstreams/00000000000000000000000000000001.1.stdout" },
        ]),
        new("bytestream", "google.bytestream.ByteStream/Write", true,
        [
            Peer.Piece($"uploads/u/blobs/{Peer.Path(Whole.Digest)}", First.Content), Peer.Piece("", Second.Content, First.Size, finish: true),
            Peer.Piece($"uploads/u/compressed-blobs/zstd/{Peer.Path(Second.Digest)}/metadata", Zstd.Stored(Second.Content), finish: true),
        ]),
        new("bytestream", "google.bytestream.ByteStream/QueryWriteStatus", false, [new QueryWriteStatusRequest { ResourceName = $"uploads/u/blobs/{Peer.Path(Whole.Digest)}" }]),
        new("actioncache", Prefix + "ActionCache/GetActionResult", false,
            [new GetActionResultRequest { ActionDigest = Blob.Of(Action).Digest, InlineStdout = true, InlineOutputFiles = { "out/file" } }]),
        new("actioncache", Prefix + "ActionCache/UpdateActionResult", false,
            [new UpdateActionResultRequest { ActionDigest = Blob.Of(Action).Digest, ActionResult = Result(), ResultsCachePolicy = new ResultsCachePolicy { Priority = 1 } }]),
        new("execution", Prefix + "Execution/Execute", false,
            [new ExecuteRequest { ActionDigest = Blob.Of(Action).Digest, ExecutionPolicy = new ExecutionPolicy { Priority = 1 }, InlineStdout = true }]),
        new("execution", Prefix + "Execution/WaitExecution", false, [new WaitExecutionRequest { Name = "operations/1" }]),
        new("operations", "google.longrunning.Operations/GetOperation", false, [new GetOperationRequest { Name = "operations/1" }]),
        new("operations", "google.longrunning.Operations/CancelOperation", false, [new CancelOperationRequest { Name = "operations/1" }]),
        new("operations", "google.longrunning.Operations/DeleteOperation", false, [new DeleteOperationRequest { Name = "operations/1" }]),
        new("operations", "google.longrunning.Operations/WaitOperation", false, [new WaitOperationRequest { Name = "operations/1", Timeout = new Duration { Nanos = 1_000_000 } }]),
        new("operations", "google.longrunning.Operations/ListOperations", false,
            [new ListOperationsRequest { Name = "operations", Filter = "stage != completed AND tool_name = \"bazel\"", PageSize = 5 }]),
        new("capabilities", Prefix + "Capabilities/GetCapabilities", false, [new GetCapabilitiesRequest { InstanceName = "some/instance" }]),
        new("asset", "build.bazel.remote.asset.v1.Fetch/FetchBlob", false, [new FetchBlobRequest { Uris = { "http://127.0.0.1:9/x" }, Qualifiers = { Qualifier() }, Timeout = new Duration { Seconds = 1 } }]),
        new("asset", "build.bazel.remote.asset.v1.Fetch/FetchDirectory", false, [new FetchDirectoryRequest { Uris = { "http://127.0.0.1:9/x.tar.gz" }, Qualifiers = { Qualifier() } }]),
        new("asset", "build.bazel.remote.asset.v1.Push/PushBlob", false, [new PushBlobRequest { Uris = { "https://example.invalid/x" }, BlobDigest = First.Digest, ReferencesBlobs = { Second.Digest } }]),
        new("asset", "build.bazel.remote.asset.v1.Push/PushDirectory", false, [new PushDirectoryRequest { Uris = { "https://example.invalid/d" }, RootDirectoryDigest = Blob.Of(Root).Digest }]),
        new("logstream", "build.bazel.remote.logstream.v1.LogStreamService/CreateLogStream", false, [new CreateLogStreamRequest { Parent = "some/instance" }]),
    ];

    private static BatchUpdateBlobsRequest.Types.Request Update(Blob blob) => new() { Digest = blob.Digest, Data = ByteString.CopyFrom(blob.Content) };

    private static BatchUpdateBlobsRequest.Types.Request Compressed(Blob blob) =>
        new() { Digest = blob.Digest, Data = ByteString.CopyFrom(Zstd.Stored(blob.Content)), Compressor = WireCompressor.Zstd };

    private static Qualifier Qualifier() => new() { Name = "checksum.sri", Value = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" };

    private static ActionResult Result() => new()
    {
        OutputFiles = { new OutputFile { Path = "out/file", Digest = First.Digest, Contents = ByteString.CopyFrom(First.Content), IsExecutable = true } },
        OutputDirectories = { new OutputDirectory { Path = "out/d", TreeDigest = Blob.Of(OutputTree).Digest, RootDirectoryDigest = Blob.Of(Root).Digest } },
        OutputSymlinks = { new OutputSymlink { Path = "out/l", Target = "file" } },
        StdoutDigest = Second.Digest,
        StderrRaw = ByteString.CopyFromUtf8("said"),
        ExecutionMetadata = new ExecutedActionMetadata { Worker = "w", QueuedTimestamp = new Timestamp { Seconds = 1 }, AuxiliaryMetadata = { Any.Pack(Root) } },
    };
}
