using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using static RemoteExec.EndToEnd.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>The table of abuses (TRUST 4.1), each with the code of REAPI 1.14.</summary>
internal static class HostileCalls
{
    private const string Cas = "build.bazel.remote.execution.v2.ContentAddressableStorage/";
    private const string ExecuteMethod = "build.bazel.remote.execution.v2.Execution/Execute";
    private const string UpdateResult = "build.bazel.remote.execution.v2.ActionCache/UpdateActionResult";
    private const string ReadMethod = "google.bytestream.ByteStream/Read";
    private const string WriteMethod = "google.bytestream.ByteStream/Write";
    private const string Upload = "uploads/3b0c7a52-6f0e-4a6c-9a55-5d3f8f1c2b11/";

    private static readonly string Absent = new('a', 64);

    public static IEnumerable<HostileCall> All =>
        [.. Digests(), .. Names(), .. Offsets(), .. Writes(), .. Zstd(), .. Batches(), .. Trees(), .. Actions(), .. Commands(), .. Results(), .. Others()];

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
            yield return Call($"Read '{name[..Math.Min(name.Length, 30)].ReplaceLineEndings("\\n")}'", RawStatus.InvalidArgument, ReadMethod, Of((1, name)));
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

    private static IEnumerable<HostileCall> Zstd()
    {
        byte[] magic = [0x28, 0xB5, 0x2F, 0xFD];
        byte[] skippable = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        byte[] zeros = new byte[100];
        // One block that repeats a byte 128 KiB times (RFC 8878: RLE_Block): seven bytes for 131,072, many times over.
        byte[] repeated = [.. BitConverter.GetBytes((128 << 10 << 3) | 0b010)[..3], 0];
        byte[] bomb = [.. magic, 0x00, 0x70, .. Enumerable.Repeat(repeated, 10_000).SelectMany(block => block)];
        byte[] smallBomb = [.. magic, 0x00, 0x48, .. Enumerable.Repeat(repeated, 10_000).SelectMany(block => block)];
        (string Name, byte[] Data)[] bad =
        [
            ("empty", []), ("garbage", Encoding.ASCII.GetBytes(new string('g', 500))), ("cut off", magic), ("a window of 16 MiB", bomb), ("a bomb of 1.3 GB", smallBomb),
            ("a flood of skippable frames", [.. Enumerable.Repeat(skippable, 100_000).SelectMany(frame => frame)]),
            ("a skippable frame without end", [0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
            ("a content size of 2^63", [.. magic, 0xE0, .. BitConverter.GetBytes(1UL << 63), 1, 0, 0]),
            ("a dictionary", [.. magic, 0x23, 77, 0, 0, 0, 5, 1, 0, 0]),
        ];
        foreach (var (name, data) in bad)
        {
            yield return Call(
                $"zstd: {name}", RawStatus.InvalidArgument, WriteMethod,
                Write($"{Upload}compressed-blobs/zstd/{HashOf(zeros)}/{zeros.Length}", data, finish: true));
        }
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

    private static readonly byte[] True = Of((1, "/bin/true"));

    private static byte[] File(string name, byte[] digest) => Of((1, name), (2, digest));

    private static HostileCall Tree(string name, RawStatus expected, byte[] root, params byte[][] below) =>
        Action($"tree: {name}", expected, True, root, below: below);

    private static HostileCall Action(
        string name, RawStatus expected, byte[] command, byte[]? root = null, (int, object?)? field = null, params byte[][] below)
    {
        root ??= [];
        byte[] action = Of((1, DigestOf(command)), (2, DigestOf(root)), field ?? (7, true));
        return new HostileCall(name, expected, ExecuteMethod, [Of((6, DigestOf(action)), (3, true))], [command, root, action, .. below]);
    }

    private static IEnumerable<HostileCall> Trees()
    {
        byte[] empty = DigestOf([]);
        string[] badNames = ["", ".", "..", "a/b", "/", "a\0b", new('x', 256)];
        foreach (string name in badNames)
        {
            string shown = name.Replace("\0", "\\0", StringComparison.Ordinal);
            yield return Tree($"a file '{shown}'", RawStatus.InvalidArgument, Of((1, File(name, empty))));
            yield return Tree($"a directory '{shown}'", RawStatus.InvalidArgument, Of((2, File(name, empty))));
            yield return Tree($"a link '{shown}'", RawStatus.InvalidArgument, Of((3, Of((1, name), (2, "x")))));
        }

        yield return Tree("unsorted", RawStatus.InvalidArgument, Of((1, File("b", empty)), (1, File("a", empty))));
        yield return Tree("a name twice", RawStatus.InvalidArgument, Of((1, File("a", empty)), (2, File("a", empty))));
        yield return Tree("an absolute link", RawStatus.InvalidArgument, Of((3, Of((1, "a"), (2, "/etc/shadow")))));
        yield return Tree("a missing file", RawStatus.FailedPrecondition, Of((1, File("a", Digest(Absent, 9)))));
        yield return Tree("a missing directory", RawStatus.FailedPrecondition, Of((2, File("a", Digest(Absent, 9)))));
        yield return Tree("a digest of another function", RawStatus.InvalidArgument, Of((1, File("a", Digest(new('a', 40), 9)))));
        byte[] garbage = [0xFF, 0xFF, 0xFF];
        yield return Tree("a directory that is none", RawStatus.InvalidArgument, Of((2, File("a", DigestOf(garbage)))), garbage);

        // Sixty blobs that describe 2^60 paths, and two thousand levels.
        var levels = new List<byte[]> { Of((1, File("f", empty))) };
        for (int i = 0; i < 60; i++) levels.Add(Of((2, File("a", DigestOf(levels[^1]))), (2, File("b", DigestOf(levels[^1])))));
        yield return Tree("2^60 paths", RawStatus.ResourceExhausted, levels[^1], [.. levels]);
        levels = [Of((1, File("f", empty)))];
        for (int i = 0; i < 2100; i++) levels.Add(Of((2, File("a", DigestOf(levels[^1])))));
        yield return Tree("2,100 levels", RawStatus.ResourceExhausted, levels[^1], [.. levels]);
    }

    private static IEnumerable<HostileCall> Actions()
    {
        byte[] garbage = [0xFF, 0xFE, 0xFD];
        byte[] directory = Of((1, File("zz", DigestOf([]))));
        yield return Call("an absent action", RawStatus.FailedPrecondition, ExecuteMethod, Of((6, Digest(Absent, 100))));
        yield return Call("an action of a petabyte", RawStatus.InvalidArgument, ExecuteMethod, Of((6, Digest(Absent, 1L << 50))));
        yield return Call("an action that is garbage", RawStatus.InvalidArgument, ExecuteMethod, Of((6, DigestOf(garbage)))) with { Blobs = [garbage] };
        yield return Call("an action that is a directory", RawStatus.InvalidArgument, ExecuteMethod, Of((6, DigestOf(directory)))) with { Blobs = [directory] };
        foreach (long seconds in (long[])[-1, 86_401, long.MaxValue, long.MinValue])
            yield return Action($"a timeout of {seconds} s", RawStatus.InvalidArgument, True, field: (6, Of((1, seconds))));
        yield return Action("a timeout of -1 ns", RawStatus.InvalidArgument, True, field: (6, Of((2, -1L))));
        var properties = Enumerable.Range(0, 100_000).Select(i => (1, (object?)Of((1, i.ToString("x6", CultureInfo.InvariantCulture)), (2, "v"))));
        yield return Action("100,000 platform properties", RawStatus.InvalidArgument, True, field: (10, Of([.. properties])));
    }

    private static IEnumerable<HostileCall> Commands()
    {
        HostileCall Bad(string what, params ReadOnlySpan<(int, object?)> fields) => Action($"command: {what}", RawStatus.InvalidArgument, Of(fields));
        yield return Bad("no program");
        yield return Bad("an empty program", (1, ""));
        yield return Bad("a NUL", (1, "/bin/echo"), (1, "a\0b"));
        yield return Bad("a variable 'a=b'", (1, "/bin/true"), (2, Of((1, "a=b"), (2, "x"))));
        yield return Bad("a variable twice", (1, "/bin/true"), (2, Of((1, "a"), (2, "x"))), (2, Of((1, "a"), (2, "y"))));
        yield return Bad("an unknown output property", (1, "/bin/true"), (8, "zzz"));
        yield return Bad("an output below an output file", (1, "/bin/true"), (3, "a"), (4, "a/b"));
        yield return Bad("an output twice", (1, "/bin/true"), (7, "a"), (7, "a"));
        foreach (string path in (string[])["/etc/passwd", "..", "../x", "a/../../x", "a//b", "a/", "a\0b", new('x', 300)])
        {
            foreach (int list in (int[])[3, 4, 7])
                yield return Bad($"the output '{path.Replace("\0", "\\0", StringComparison.Ordinal)}' in field {list}", (1, "/bin/true"), (list, path));
        }

        foreach (string path in (string[])["/", "..", "a/../..", "nowhere", "a\0b"])
            yield return Bad($"the working directory '{path.Replace("\0", "\\0", StringComparison.Ordinal)}'", (1, "/bin/true"), (6, path));
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
