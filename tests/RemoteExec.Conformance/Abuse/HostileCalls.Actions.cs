using System.Globalization;
using System.Text;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.Conformance;

/// <summary>Actions, commands and their input trees.</summary>
internal static partial class HostileCalls
{
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

    private static IEnumerable<HostileCall> BadTrees()
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
    }

    private static IEnumerable<HostileCall> GreatTrees()
    {
        byte[] empty = DigestOf([]);
        // 64 blobs that describe 2^64 paths, and levels: of input trees as many as the deepest that anybody reads, and some.
        var levels = new List<byte[]> { Of((1, File("f", empty))) };
        for (int i = 0; i < 64; i++) levels.Add(Of((2, File("a", DigestOf(levels[^1]))), (2, File("b", DigestOf(levels[^1])))));
        yield return Tree("2^64 paths", RawStatus.ResourceExhausted, levels[^1], [.. levels]);
        yield return Call("GetTree of 2^64 paths", RawStatus.ResourceExhausted, Cas + "GetTree", Of((2, DigestOf(levels[^1])))) with { Blobs = [.. levels] };
        levels = [Of((1, File("f", empty)))];
        for (int i = 0; i < 2100; i++) levels.Add(Of((2, File("a", DigestOf(levels[^1])))));
        yield return Tree("2,100 levels", RawStatus.ResourceExhausted, levels[^1], [.. levels]);

        yield return Call("GetTree of 2,100 levels", RawStatus.ResourceExhausted, Cas + "GetTree", Of((2, DigestOf(levels[^1])))) with { Blobs = [.. levels] };

        byte[] below = [];
        var children = new List<(int, object?)>();
        for (int i = 0; i < 100_000; i++)
        {
            children.Add((2, below));
            below = Of((2, File("a", DigestOf(below))));
        }

        yield return Tree("100,000 levels", RawStatus.ResourceExhausted, below, [.. children.Select(child => (byte[])child.Item2!)]);
        yield return Result("a Tree of 100,000 levels", RawStatus.ResourceExhausted, Of([(1, below), .. children]));

        // One blob of 15 MB: more than a million links of six letters.
        var links = Enumerable.Range(0, 1_100_000).Select(i => (3, (object?)Of((1, i.ToString("x6", CultureInfo.InvariantCulture)), (2, "x"))));
        yield return Tree("a directory of 1,100,000 entries", RawStatus.ResourceExhausted, Of([.. links]));

        byte[] circle = Of((2, File("a", Digest(Absent, 9))));
        yield return Result("a Tree with a child that is not there", RawStatus.FailedPrecondition, Of((1, circle), (2, circle)));
    }

    private static HostileCall Result(string name, RawStatus expected, byte[] tree) =>
        Call($"result: {name}", expected, UpdateResult, Of((2, Digest(Absent, 7)), (3, Of((3, Of((1, "d"), (3, DigestOf(tree)))))))) with { Blobs = [tree] };
}
