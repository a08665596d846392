using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>
/// SHA256TREE (REAPI, DigestFunction.Value): up to 1,024 bytes are hashed by SHA-256; what is longer is cut at the largest power of two
/// below its length, and the hashes of both sides are the one block of SHA-256's block cipher (FIPS 180-4, 6.2.2) with initial words of its own, whose
/// result is the hash as it is, without the addition.
/// </summary>
internal static class Sha256Tree
{
    /// <summary>What SHA-256 itself hashes: the leaves of the tree.</summary>
    public const int LeafBytes = 1024;

    public const int HashBytes = 32;

    private const int Rounds = 64;

    // Square roots of the primes from 23 to 53.
    private static ReadOnlySpan<uint> Initial =>
    [
        0xcbbb9d5d, 0x629a292a, 0x9159015a, 0x152fecd8, 0x67332667, 0x8eb44a87, 0xdb0c2e0d, 0x47b5481d,
    ];

    // FIPS 180-4, 4.2.2.
    private static ReadOnlySpan<uint> Constants =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    public static void Hash(ReadOnlySpan<byte> data, Span<byte> hash)
    {
        if (data.Length <= LeafBytes)
        {
            SHA256.HashData(data, hash);
            return;
        }

        int left = (int)(BitOperations.RoundUpToPowerOf2((uint)data.Length) >> 1);
        Span<byte> both = stackalloc byte[2 * HashBytes];
        Hash(data[..left], both);
        Hash(data[left..], both[HashBytes..]);
        Combine(both, hash);
    }

    /// <param name="both">The hashes of the left and the right side.</param>
    public static void Combine(ReadOnlySpan<byte> both, Span<byte> hash)
    {
        Span<uint> words = stackalloc uint[Rounds];
        for (int i = 0; i < 16; i++) words[i] = BinaryPrimitives.ReadUInt32BigEndian(both[(4 * i)..]);
        for (int i = 16; i < Rounds; i++)
        {
            uint early = words[i - 15], late = words[i - 2];
            words[i] = words[i - 16] + words[i - 7]
                + (BitOperations.RotateRight(early, 7) ^ BitOperations.RotateRight(early, 18) ^ (early >> 3))
                + (BitOperations.RotateRight(late, 17) ^ BitOperations.RotateRight(late, 19) ^ (late >> 10));
        }

        var initial = Initial;
        var constants = Constants;
        uint a = initial[0], b = initial[1], c = initial[2], d = initial[3], e = initial[4], f = initial[5], g = initial[6], h = initial[7];
        for (int i = 0; i < Rounds; i++)
        {
            uint first = h + (BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25))
                + ((e & f) ^ (~e & g)) + constants[i] + words[i];
            uint second = (BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22))
                + ((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e, d, c, b, a) = (g, f, e, d + first, c, b, a, first + second);
        }

        ReadOnlySpan<uint> result = [a, b, c, d, e, f, g, h];
        for (int i = 0; i < result.Length; i++) BinaryPrimitives.WriteUInt32BigEndian(hash[(4 * i)..], result[i]);
    }
}
