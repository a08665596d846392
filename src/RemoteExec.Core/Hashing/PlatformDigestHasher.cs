using System.Diagnostics;
using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>The functions that the base library computes, with the processor's own instructions where it has them.</summary>
internal sealed class PlatformDigestHasher(DigestFunction function) : DigestHasher(function)
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(NameOf(function));

    public static HashAlgorithmName NameOf(DigestFunction function) => function switch
    {
        DigestFunction.Sha256 => HashAlgorithmName.SHA256,
        DigestFunction.Sha1 => HashAlgorithmName.SHA1,
        DigestFunction.Md5 => HashAlgorithmName.MD5,
        DigestFunction.Sha384 => HashAlgorithmName.SHA384,
        DigestFunction.Sha512 => HashAlgorithmName.SHA512,
        _ => throw new UnreachableException($"digest function {(int)function} was never validated"),
    };

    private protected override void AppendCore(ReadOnlySpan<byte> data) => _hash.AppendData(data);

    private protected override void FinishCore(Span<byte> hash) => _hash.GetHashAndReset(hash);

    private protected override void DisposeCore() => _hash.Dispose();
}
