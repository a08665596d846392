using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Hashes an upload, and refuses it at the end when it is not what its digest says (REAPI BW7).</summary>
internal sealed class DigestCheck(Digest digest) : IDisposable
{
    private DigestHasher? _hasher;
    private Digest? _whole; // of a blob that came in one piece

    public void Hash(ReadOnlySpan<byte> data)
    {
        // Small blobs come in one piece: no hasher is made for them, and one call takes half the time.
        if (data.Length == digest.SizeBytes) _whole = Digest.Of(digest.Function, data);
        else (_hasher ??= DigestHasher.Create(digest.Function, digest.SizeBytes)).Append(data);
    }

    public void Finish()
    {
        var actual = _whole ?? _hasher?.Finish() ?? Digest.Empty(digest.Function);
        if (actual != digest)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} hashes to {actual.Hash}");
    }

    public void Dispose() => _hasher?.Dispose();
}
