using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Counts and hashes an upload, and refuses it as soon as it cannot be what its digest says (REAPI BW7).</summary>
internal sealed class DigestCheck(Digest digest) : IDisposable
{
    private DigestHasher? _hasher;
    private Digest? _whole; // of a blob that came in one piece

    /// <summary>Counted when room is made, before the bytes are hashed.</summary>
    public long CountedBytes { get; private set; }

    /// <summary>Throws at the first byte too many; call before the bytes go anywhere.</summary>
    public void Count(int bytes)
    {
        if (bytes > digest.SizeBytes - CountedBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} has more bytes than its digest says");
        CountedBytes += bytes;
    }

    public void Hash(ReadOnlySpan<byte> data)
    {
        // Small blobs come in one piece: no hasher is made for them, and one call takes half the time.
        if (data.Length == digest.SizeBytes) _whole = Digest.Of(digest.Function, data);
        else (_hasher ??= DigestHasher.Create(digest.Function)).Append(data);
    }

    public void Finish()
    {
        if (CountedBytes != digest.SizeBytes)
        {
            throw StorageErrors.Create(
                StatusCode.InvalidArgument, $"upload of {digest} ended after {CountedBytes} of {digest.SizeBytes} bytes");
        }

        var actual = _whole ?? _hasher!.Finish(); // what was counted was hashed
        if (actual != digest)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} hashes to {actual.Hash}");
    }

    public void Dispose() => _hasher?.Dispose();
}
