using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>The functions that the base library computes, with the processor's own instructions where it has them.</summary>
internal sealed class PlatformDigestHasher(DigestFunction function, HashAlgorithmName name) : DigestHasher(function)
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(name);

    private protected override void AppendCore(ReadOnlySpan<byte> data) => _hash.AppendData(data);

    private protected override void FinishCore(Span<byte> hash) => _hash.GetHashAndReset(hash);

    private protected override void DisposeCore() => _hash.Dispose();
}
