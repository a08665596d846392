using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace RemoteExec.Core;

/// <summary>The name that git gives to a blob (REAPI GITSHA1; git-hash-object(1)): SHA-1 of <c>blob SIZE NUL</c> and the bytes.</summary>
internal sealed class GitSha1DigestHasher : DigestHasher
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
    private readonly byte[] _header;

    public GitSha1DigestHasher(long sizeBytes)
        : base(DigestFunction.GitSha1)
    {
        _header = Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"blob {sizeBytes}\0"));
        _hash.AppendData(_header);
    }

    private protected override void AppendCore(ReadOnlySpan<byte> data) => _hash.AppendData(data);

    private protected override void FinishCore(Span<byte> hash)
    {
        _hash.GetHashAndReset(hash);
        _hash.AppendData(_header);
    }

    private protected override void DisposeCore() => _hash.Dispose();
}
