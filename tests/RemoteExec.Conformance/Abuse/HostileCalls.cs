using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.Conformance;

/// <summary>The table of abuses (TRUST 4.1), each with the code of REAPI 1.14.</summary>
internal static partial class HostileCalls
{
    private const string Cas = "build.bazel.remote.execution.v2.ContentAddressableStorage/";
    private const string ExecuteMethod = "build.bazel.remote.execution.v2.Execution/Execute";
    private const string UpdateResult = "build.bazel.remote.execution.v2.ActionCache/UpdateActionResult";
    private const string ReadMethod = "google.bytestream.ByteStream/Read";
    private const string WriteMethod = "google.bytestream.ByteStream/Write";
    private const string Upload = "uploads/3b0c7a52-6f0e-4a6c-9a55-5d3f8f1c2b11/";

    private static readonly string Absent = new('a', 64);

    public static IEnumerable<HostileCall> All =>
    [
        .. Digests(), .. Sizes(), .. Names(), .. Offsets(), .. Writes(), .. Zstd(), .. BadTrees(),
        .. Ours(Batches()), .. Ours(GreatTrees()), .. Ours(Actions()), .. Ours(Commands()), .. Ours(Results()), .. Ours(Texts()), .. Ours(Others()),
    ];

    private static IEnumerable<HostileCall> Ours(IEnumerable<HostileCall> calls) => calls.Select(call => call with { IsOurChoice = true });

    public static string HashOf(byte[] blob) => Convert.ToHexStringLower(SHA256.HashData(blob));

    public static byte[] DigestOf(byte[] blob) => Digest(HashOf(blob), blob.Length);

    private static byte[] Digest(string hash, long size) => Of((1, hash), (2, size));

    private static HostileCall Call(string name, RawStatus expected, string method, params IReadOnlyList<byte[]> messages) =>
        new(name, expected, method, messages, []);

    private static IEnumerable<HostileCall> Digests()
    {
        (string Name, byte[] Digest)[] bad =
        [
            ("upper case", Digest(new('A', 64), 1)), ("63 characters", Digest(new('a', 63), 1)), ("no hex", Digest(new('g', 64), 1)),
            ("a megabyte", Digest(new('a', 1_000_000), 1)), ("negative size", Digest(Absent, -1)), ("least size", Digest(Absent, long.MinValue)),
            ("the empty hash with a size", Digest(HashOf([]), 5)), ("nothing", []),
        ];
        foreach (var (name, digest) in bad)
        {
            yield return Call($"FindMissingBlobs, digest: {name}", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((2, digest)));
            yield return Call($"GetTree, digest: {name}", RawStatus.InvalidArgument, Cas + "GetTree", Of((2, digest)));
            yield return Call($"Execute, digest: {name}", RawStatus.InvalidArgument, ExecuteMethod, Of((6, digest)));
            yield return Call($"UpdateActionResult, digest: {name}", RawStatus.InvalidArgument, UpdateResult, Of((2, digest), (3, Of((4, 0)))));
        }
    }

    private static IEnumerable<HostileCall> Names()
    {
        string[] bad =
        [
            "", "/", "blobs", $"blobs/{Absent}", $"blobs/{Absent}/", $"blobs/{Absent}/+1", $"blobs/{Absent}/0x1", $"blobs/{Absent}/1/2", $"blobs/{Absent}/-1",
            $"blobs/{Absent}/99999999999999999999", $"blobs/md5/{Absent}/1", $"compressed-blobs/gzip/{Absent}/1", $"compressed-blobs/ZSTD/{Absent}/1",
            $"uploads/blobs/{Absent}/1", "blobs/../../etc/passwd/1", $"blobs/{Absent}\n/1", new('x', 100_000),
        ];
        foreach (string name in bad)
            yield return Call($"Read '{name[..Math.Min(name.Length, 100)].ReplaceLineEndings("\\n").Replace(Absent, "HASH", StringComparison.Ordinal)}'", RawStatus.InvalidArgument, ReadMethod, Of((1, name)));
        string[] badUploads = ["", "uploads", $"blobs/{Absent}/1", $"uploads//blobs/{Absent}/1", $"{Upload}blobs/{Absent}", $"{Upload}compressed-blobs/gzip/{Absent}/1", $"{Upload}blobs/{Absent}/-1"];
        foreach (string name in badUploads)
        {
            yield return Call($"Write '{name}'", RawStatus.InvalidArgument, WriteMethod, Write(name, "x", finish: true));
            yield return Call($"QueryWriteStatus '{name}'", RawStatus.InvalidArgument, "google.bytestream.ByteStream/QueryWriteStatus", Of((1, name)));
        }

        foreach (string instance in (string[])["blobs", "a/uploads", "operations", "a\0b"])
            yield return Call($"instance '{instance.Replace("\0", "\\0", StringComparison.Ordinal)}'", RawStatus.InvalidArgument, Cas + "FindMissingBlobs", Of((1, instance)));
    }

    private static IEnumerable<HostileCall> Offsets()
    {
        byte[] blob = "thirteen byte"u8.ToArray();
        string name = $"blobs/{HashOf(blob)}/{blob.Length}";
        (long Offset, long Limit, RawStatus Expected)[] cases =
        [
            (-1, 0, RawStatus.OutOfRange), (long.MinValue, 0, RawStatus.OutOfRange), (14, 0, RawStatus.OutOfRange), (long.MaxValue, 0, RawStatus.OutOfRange),
            (0, -1, RawStatus.InvalidArgument), (13, 0, RawStatus.Ok), (5, long.MaxValue, RawStatus.Ok),
        ];
        foreach (var (offset, limit, expected) in cases)
            yield return Call($"Read at {offset}, at most {limit}", expected, ReadMethod, Of((1, name), (2, offset), (3, limit))) with { Blobs = [blob] };
        yield return Call("a limit of compressed bytes", RawStatus.InvalidArgument, ReadMethod, Of((1, "compressed-" + name), (3, 1))) with { Blobs = [blob] };
        yield return Call("Read of 2^63-1 bytes", RawStatus.NotFound, ReadMethod, Of((1, $"blobs/{Absent}/{long.MaxValue}")));
    }

    private static byte[] Write(string? name, object data, long offset = 0, bool finish = false) =>
        Of((1, name), (2, offset), (3, finish), (10, data));

    private static IEnumerable<HostileCall> Writes()
    {
        byte[] data = Encoding.ASCII.GetBytes(new string('w', 1000));
        string name = $"{Upload}blobs/{HashOf(data)}/1000";
        HostileCall Bad(string what, params IReadOnlyList<byte[]> messages) => Call($"Write {what}", RawStatus.InvalidArgument, WriteMethod, messages);
        yield return Bad("nothing");
        yield return Bad("one byte too many", Write(name, new string('w', 1001), finish: true));
        yield return Bad("one byte too few", Write(name, new string('w', 999), finish: true));
        yield return Bad("other bytes", Write(name, new string('v', 1000), finish: true));
        yield return Bad("under another size", Write($"{Upload}blobs/{HashOf(data)}/999", new string('w', 999), finish: true));
        yield return Bad("from the middle", Write(name, "x", offset: 10, finish: true));
        yield return Bad("from below", Write(name, "x", offset: -1, finish: true));
        yield return Bad("beyond finish_write", Write(name, data, finish: true), Write(null, "y", offset: 1000));
        yield return Bad("under two names", Write(name, "w"), Write(name + "/x", "w", offset: 1, finish: true));
        yield return Call("Write 2^63-1 bytes", RawStatus.InvalidArgument, WriteMethod, Write($"{Upload}blobs/{Absent}/{long.MaxValue}", "x"));
    }

    private static IEnumerable<HostileCall> Batches()
    {
        byte[] large = new byte[9 << 20];
        yield return Call("a batch of 9 MiB", RawStatus.InvalidArgument, Cas + "BatchUpdateBlobs", Of((2, Of((1, DigestOf(large)), (2, large)))));
        yield return Call(
            "a batch of 60,000 nothings", RawStatus.InvalidArgument, Cas + "BatchUpdateBlobs", Of([.. Enumerable.Repeat((2, (object?)Array.Empty<byte>()), 60_000)]));
        yield return Call("a batch read of 2^62 bytes", RawStatus.InvalidArgument, Cas + "BatchReadBlobs", Of((2, Digest(Absent, 1L << 62))));
        yield return Call(
            "a message that is too large", RawStatus.ResourceExhausted, Cas + "FindMissingBlobs", Of([.. Enumerable.Repeat((2, (object?)new byte[1 << 20]), 80)]));
    }

    private static IEnumerable<HostileCall> Results()
    {
        byte[] empty = DigestOf([]);
        foreach (string path in (string[])["/etc/passwd", "../x", "", "a//b"])
        {
            yield return Call(
                $"a result at '{path}'", RawStatus.InvalidArgument, UpdateResult, Of((2, Digest(Absent, 7)), (3, Of((2, Of((1, path), (2, empty)))))));
        }

        byte[] tree = Of((1, Of((1, File("..", empty)))));
        byte[] inTree = Of((3, Of((1, "d"), (3, DigestOf(tree)))));
        yield return Call("a result with '..' in a tree", RawStatus.InvalidArgument, UpdateResult, Of((2, Digest(Absent, 7)), (3, inTree))) with { Blobs = [tree] };
        yield return Call(
            "a result without its output", RawStatus.FailedPrecondition, UpdateResult, Of((2, Digest(Absent, 7)), (3, Of((2, Of((1, "a"), (2, Digest(Absent, 3))))))));
    }

    private static IEnumerable<HostileCall> Others()
    {
        foreach (string method in (string[])["GetOperation", "CancelOperation", "DeleteOperation"])
            yield return Call($"{method} of a guessed name", RawStatus.NotFound, $"google.longrunning.Operations/{method}", Of((1, "operations/1")));
        yield return Call("WaitExecution of a guessed name", RawStatus.NotFound, "build.bazel.remote.execution.v2.Execution/WaitExecution", Of((1, "operations/1")));
        yield return Call("a method that is none", RawStatus.Unimplemented, "x.Y/Z", []);
        string metadata = Convert.ToBase64String(new byte[64 * 1024]);
        yield return Call("RequestMetadata of 64 KiB", RawStatus.Ok, Cas + "FindMissingBlobs", Of()) with
        {
            Headers = [("build.bazel.remote.execution.v2.requestmetadata-bin", metadata)],
        };
    }
}
