using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RemoteExec.Storage;

/// <summary>
/// Which nodes a blob belongs to: those that score highest for it, by weighted rendezvous hashing. A node that comes takes its share from all
/// others, one that goes leaves its own to them, and nothing else moves.
/// </summary>
/// <remarks>The numbers are for good: whatever changes them sends every blob somewhere else.</remarks>
internal sealed class Rendezvous
{
    private readonly (ulong Seed, int Weight)[] _nodes;

    public Rendezvous(IEnumerable<BlobNode> nodes) => _nodes = [.. nodes.Select(node => (SeedOf(node.Name), node.Weight))];

    /// <summary>The two best of them; where there is only one, that one twice.</summary>
    public (int First, int Second) Find(in Digest digest)
    {
        Span<byte> hash = stackalloc byte[DigestFunctions.HashBytesMax];
        digest.CopyHashTo(hash);
        ulong blob = BinaryPrimitives.ReadUInt64LittleEndian(hash);
        var (first, second) = (0, 0);
        var (best, next) = (double.NegativeInfinity, double.NegativeInfinity);
        for (int i = 0; i < _nodes.Length; i++)
        {
            double score = ScoreOf(_nodes[i], blob);
            if (score > best) (second, next, first, best) = (first, best, i, score);
            else if (score > next) (second, next) = (i, score);
        }

        return (first, second);
    }

    // -weight / ln u, u uniform in (0, 1): each wins in proportion to its weight.
    private static double ScoreOf((ulong Seed, int Weight) node, ulong blob)
    {
        double uniform = ((Mix(node.Seed ^ blob) >> 11) + 0.5) * (1.0 / (1UL << 53));
        return -node.Weight / Math.Log(uniform);
    }

    // The finaliser of splitmix64 (Steele, Lea, Flood 2014): every bit of what goes in changes half of what comes out.
    private static ulong Mix(ulong value)
    {
        value += 0x9E3779B97F4A7C15;
        value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9;
        value = (value ^ (value >> 27)) * 0x94D049BB133111EB;
        return value ^ (value >> 31);
    }

    private static ulong SeedOf(string name) => BinaryPrimitives.ReadUInt64LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(name)));
}
