using System.Security.Cryptography;

namespace RemoteExec.EndToEnd;

/// <summary>A blob's name: SHA-256 and size.</summary>
internal readonly record struct RawBlob(string Hash, long SizeBytes)
{
    public string ResourceName => $"blobs/{Hash}/{SizeBytes}";

    public static RawBlob Of(ReadOnlySpan<byte> content) => new(Convert.ToHexStringLower(SHA256.HashData(content)), content.Length);

    public static RawBlob From(RawFields digest) => new(digest.Text(1), digest.Number(2));

    public byte[] ToMessage() => RawMessage.Of((1, Hash), (2, SizeBytes == 0 ? null : SizeBytes));
}
