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

    public static DigestHasher Create(DigestFunction function) =>
        function == DigestFunction.Blake3 ? new Blake3DigestHasher() : new PlatformDigestHasher(function);

    public void Append(ReadOnlySpan<byte> data)
    {
        _sizeBytes += data.Length;
        AppendCore(data);
    }

    /// <summary>The digest of everything appended; the hasher then starts again from nothing.</summary>
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
