using System.Diagnostics;
using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>Hashes a whole buffer at once: no hasher, no allocation.</summary>
internal static class OneShotHash
{
    // MD5 and SHA-1 are names that clients chose for their blobs, not a defence we rely on.
#pragma warning disable CA5350, CA5351
    public static void Compute(DigestFunction function, ReadOnlySpan<byte> data, Span<byte> hash)
    {
        if (function == DigestFunction.Blake3)
        {
            Blake3.Hasher.Hash(data, hash);
            return;
        }

        _ = function switch
        {
            DigestFunction.Sha256 => SHA256.HashData(data, hash),
            DigestFunction.Sha1 => SHA1.HashData(data, hash),
            DigestFunction.Md5 => MD5.HashData(data, hash),
            DigestFunction.Sha384 => SHA384.HashData(data, hash),
            DigestFunction.Sha512 => SHA512.HashData(data, hash),
            _ => throw new UnreachableException($"digest function {(int)function} was never validated"),
        };
    }
#pragma warning restore CA5350, CA5351
}
