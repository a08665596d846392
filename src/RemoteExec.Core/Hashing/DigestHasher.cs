namespace RemoteExec.Core;

/// <summary>
/// Computes a digest from bytes that come in pieces. Not for two threads at once. Bytes that are all there go to
/// <see cref="Digest.Of"/>, which takes half the time for a small blob and two thirds for a large one.
/// </summary>
public abstract class DigestHasher : IDisposable
{
    private long _sizeBytes;

    private protected DigestHasher(DigestFunction function) => Function = function;

    public DigestFunction Function { get; }

    /// <param name="sizeBytes">How much will be appended. GITSHA1 hashes it before the first byte; of more or less than that its hash is no blob's.</param>
    public static DigestHasher Create(DigestFunction function, long sizeBytes) => function switch
    {
        DigestFunction.Blake3 => new Blake3DigestHasher(),
        DigestFunction.Sha256Tree => new Sha256TreeDigestHasher(),
        DigestFunction.GitSha1 => new GitSha1DigestHasher(sizeBytes),
        _ => new PlatformDigestHasher(function),
    };

    public void Append(ReadOnlySpan<byte> data)
    {
        _sizeBytes += data.Length;
        AppendCore(data);
    }

    /// <summary>The digest of everything appended; the hasher then starts again from nothing, for as much.</summary>
    public Digest Finish()
    {
        Span<byte> hash = stackalloc byte[Function.HashBytes()];
        FinishCore(hash);
        var digest = Digest.FromHash(Function, hash, _sizeBytes);
        _sizeBytes = 0;
        return digest;
    }

    public void Dispose()
    {
        DisposeCore();
        GC.SuppressFinalize(this);
    }

    private protected abstract void AppendCore(ReadOnlySpan<byte> data);

    /// <summary>Writes the hash and starts again.</summary>
    private protected abstract void FinishCore(Span<byte> hash);

    private protected abstract void DisposeCore();
}
