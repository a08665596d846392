using System.Text;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.Conformance;

/// <summary>Compressed content that is not what it says.</summary>
internal static partial class HostileCalls
{
    private static IEnumerable<HostileCall> Zstd()
    {
        byte[] magic = ZstdBombs.Magic;
        byte[] skippable = [0x50, 0x2A, 0x4D, 0x18, 0, 0, 0, 0];
        byte[] zeros = new byte[100];
        byte[] whole = Conformance.Zstd.Stored(zeros);
        (string Name, byte[] Data)[] bad =
        [
            ("empty", []), ("garbage", Encoding.ASCII.GetBytes(new string('g', 500))), ("cut off", magic), ("a window of 16 MiB", ZstdBombs.LargeWindow),
            ("a window of terabytes", ZstdBombs.HugeWindow), ("a bomb of 1.3 GB", ZstdBombs.Gigabyte),
            ("a flood of skippable frames", [.. Enumerable.Repeat(skippable, 100_000).SelectMany(frame => frame)]),
            ("a skippable frame without end", [0x50, 0x2A, 0x4D, 0x18, 0xFF, 0xFF, 0xFF, 0xFF, 1]),
            ("a content size of 2^63", [.. magic, 0xE0, .. BitConverter.GetBytes(1UL << 63), 1, 0, 0]),
            ("a dictionary", [.. magic, 0x23, 77, 0, 0, 0, 5, 1, 0, 0]),
            ("a block of a type that is none", [.. magic, 0x20, 100, 0x07, 0, 0]),
            ("a frame without its last byte", whole[..^1]),
            ("a byte behind the frame", [.. whole, 0]),
            ("the frame twice", [.. whole, .. whole]),
            ("a frame of one byte less", Conformance.Zstd.Stored(zeros[1..])),
        ];
        foreach (var (name, data) in bad)
        {
            yield return Call(
                $"zstd: {name}", RawStatus.InvalidArgument, WriteMethod,
                Write($"{Upload}compressed-blobs/zstd/{HashOf(zeros)}/{zeros.Length}", data, finish: true));
        }
    }
}
