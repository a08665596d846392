using Google.Protobuf;
using RemoteExec.Protocol;
using V2 = Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Testing;

/// <summary>Trees of a few bytes that would be more than a disk holds (TRUST H7).</summary>
internal static class ExplodingTrees
{
    public const string Chain = "a chain of 10,000 directories";
    public const string LongChain = "a chain of 100,000 directories";
    public const string Files = "10^8 files by five directories";
    public const string Paths = "2^40 paths";

    /// <summary>No hash makes one; a store that is wrong may have it all the same.</summary>
    public const string Cycle = "a directory in itself";

    /// <summary>The root last. Those of <see cref="Cycle"/> do not hash to their digests.</summary>
    public static IReadOnlyList<(Core.Digest Digest, byte[] Bytes)> Make(string name) => name switch
    {
        Chain => Levels(10_000, width: 1, new V2.Directory()),
        LongChain => Levels(100_000, width: 1, new V2.Directory()),
        Files => Levels(4, width: 40, new V2.Directory { Files = { Names(40).Select(file => new V2.FileNode { Name = file, Digest = Core.Digest.Empty(Core.DigestFunction.Sha256).ToWire() }) } }),
        Paths => Levels(40, width: 2, new V2.Directory()),
        Cycle => [Itself()],
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    /// <summary>The same directories as an output has them.</summary>
    public static V2.Tree AsTree(IReadOnlyList<(Core.Digest Digest, byte[] Bytes)> directories) => new()
    {
        Root = V2.Directory.Parser.ParseFrom(directories[^1].Bytes),
        Children = { directories.SkipLast(1).Select(each => V2.Directory.Parser.ParseFrom(each.Bytes)) },
    };

    private static List<(Core.Digest Digest, byte[] Bytes)> Levels(int count, int width, V2.Directory leaf)
    {
        var made = new List<(Core.Digest Digest, byte[] Bytes)>();
        Add(leaf);
        for (int level = 0; level < count; level++)
        {
            var below = made[^1].Digest.ToWire();
            Add(new V2.Directory { Directories = { Names(width).Select(child => new V2.DirectoryNode { Name = child, Digest = below }) } });
        }

        return made;

        void Add(V2.Directory directory)
        {
            byte[] bytes = directory.ToByteArray();
            made.Add((Core.Digest.Of(Core.DigestFunction.Sha256, bytes), bytes));
        }
    }

    private static IEnumerable<string> Names(int count) => Enumerable.Range(0, count).Select(i => $"n{i:d3}");

    private static (Core.Digest Digest, byte[] Bytes) Itself()
    {
        byte[] hash = new byte[32];
        hash[0] = 1;
        // The length is a number of one byte in it, so it does not change with its value.
        int length = With(1).Length;
        return (Core.Digest.FromHash(Core.DigestFunction.Sha256, hash, length), With(length));

        byte[] With(int size) => new V2.Directory
        {
            Directories = { new V2.DirectoryNode { Name = "again", Digest = Core.Digest.FromHash(Core.DigestFunction.Sha256, hash, size).ToWire() } },
        }.ToByteArray();
    }
}
