using System.Buffers;
using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace RemoteExec.Core;

/// <summary>
/// The name of a blob: hash function, hash and size together, because none of the three says anything alone.
/// The size is part of the identity (REAPI Digest.size_bytes): the right hash with a wrong size is another name.
/// </summary>
/// <remarks>
/// The first 32 bytes of the hash live in the value itself, so the digests of SHA-256 and BLAKE3 (all the traffic,
/// in practice) never touch the heap; only SHA-384 and SHA-512 keep an array. <c>default</c> is no digest
/// at all: its <see cref="Function"/> is zero and its hash is empty.
/// </remarks>
public readonly struct Digest : IEquatable<Digest>
{
    private const int InlineBytes = 32;

    private static readonly ulong[] Secrets = MemoryMarshal.Cast<byte, ulong>(RandomNumberGenerator.GetBytes(4 * sizeof(ulong))).ToArray();

    private static readonly Digest[] Empties = MakeEmpties();

    private readonly InlineHash _inline;
    private readonly byte[]? _long; // the whole hash, when it is longer than InlineBytes

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Digest(DigestFunction function, ReadOnlySpan<byte> hash, long sizeBytes)
    {
        Debug.Assert(hash.Length == function.HashBytes());
        Debug.Assert(sizeBytes >= 0);
        Function = function;
        SizeBytes = sizeBytes;
        // A constant length is one vector: a store knows its blobs again by reading ten million of them.
        if (hash.Length >= InlineBytes) hash[..InlineBytes].CopyTo(_inline);
        else hash.CopyTo(_inline);
        _long = hash.Length > InlineBytes ? hash.ToArray() : null;
    }

    public DigestFunction Function { get; }

    public long SizeBytes { get; }

    /// <summary>The length of the hash in bytes; 0 for <c>default</c>.</summary>
    public int HashBytes => Function == default ? 0 : Function.HashBytes();

    /// <summary>The hash as REAPI writes it: lower-case hexadecimal, zero padded.</summary>
    public string Hash => Convert.ToHexStringLower(HashSpan);

    public bool IsEmpty => SizeBytes == 0 && Function != default;

    [UnscopedRef]
    private ReadOnlySpan<byte> HashSpan => _long ?? ((ReadOnlySpan<byte>)_inline)[..HashBytes];

    public static bool operator ==(Digest left, Digest right) => left.Equals(right);

    public static bool operator !=(Digest left, Digest right) => !left.Equals(right);

    /// <summary>The digest of these bytes.</summary>
    public static Digest Of(DigestFunction function, ReadOnlySpan<byte> data)
    {
        Span<byte> hash = stackalloc byte[function.HashBytes()];
        switch (function)
        {
            case DigestFunction.Blake3:
                Blake3.Hasher.Hash(data, hash);
                break;
            case DigestFunction.Sha256Tree:
                Sha256Tree.Hash(data, hash);
                break;
            case DigestFunction.GitSha1:
                using (var hasher = DigestHasher.Create(function, data.Length))
                {
                    hasher.Append(data);
                    return hasher.Finish();
                }

            default:
                CryptographicOperations.HashData(PlatformDigestHasher.NameOf(function), data, hash);
                break;
        }

        return new Digest(function, hash, data.Length);
    }

    /// <summary>A digest whose hash we computed or stored ourselves; what a peer sends goes through TryParse.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Digest FromHash(DigestFunction function, ReadOnlySpan<byte> hash, long sizeBytes)
    {
        if (hash.Length != function.HashBytes()) throw NotOf(function, hash.Length);
        ArgumentOutOfRangeException.ThrowIfNegative(sizeBytes);
        return new Digest(function, hash, sizeBytes);
    }

    /// <summary>The empty blob's digest; that blob always exists (REAPI, ContentAddressableStorage).</summary>
    public static Digest Empty(DigestFunction function) => Empties[(int)function];

    /// <summary>
    /// Takes a digest from a peer. Strict: exactly the function's length in lower-case hexadecimal, a size that is not negative,
    /// and size 0 together with the empty blob's hash or not at all.
    /// </summary>
    public static bool TryParse(
        DigestFunction function, ReadOnlySpan<char> hash, long sizeBytes, out Digest digest, [NotNullWhen(false)] out string? error)
    {
        Span<byte> ascii = stackalloc byte[DigestFunctions.HashBytesMax * 2];
        if (hash.Length > ascii.Length) return Refuse(WrongLength(function, hash.Length), out digest, out error);

        for (int i = 0; i < hash.Length; i++)
            ascii[i] = hash[i] < 0x80 ? (byte)hash[i] : (byte)'?';
        return TryParse(function, ascii[..hash.Length], sizeBytes, out digest, out error);
    }

    /// <inheritdoc cref="TryParse(DigestFunction, ReadOnlySpan{char}, long, out Digest, out string?)"/>
    public static bool TryParse(
        DigestFunction function, ReadOnlySpan<byte> hashUtf8, long sizeBytes, out Digest digest, [NotNullWhen(false)] out string? error)
    {
        // Of a constant size, which the compiler can place.
        Span<byte> hash = stackalloc byte[DigestFunctions.HashBytesMax];
        hash = hash[..function.HashBytes()];
        if (hashUtf8.Length != hash.Length * 2)
            return Refuse(WrongLength(function, hashUtf8.Length), out digest, out error);
        if (!LowerHex.TryDecode(hashUtf8, hash))
        {
            bool isUpper = Convert.FromHexString(hashUtf8, hash, out _, out _) == OperationStatus.Done;
            return Refuse(isUpper ? "the hash has upper-case letters, a digest is lower-case hexadecimal" : "the hash is not hexadecimal", out digest, out error);
        }

        if (sizeBytes < 0)
            return Refuse($"size_bytes is {sizeBytes}, a size is not negative", out digest, out error);

        digest = new Digest(function, hash, sizeBytes);
        // Real clients have sent the empty blob's hash with a size (bazelbuild/bazel#15279). No blob can have that digest.
        bool isEmptyHash = hash.SequenceEqual(Empties[(int)function].HashSpan);
        if (isEmptyHash != (sizeBytes == 0))
        {
            return Refuse(
                isEmptyHash
                    ? $"the hash is that of the empty blob, but size_bytes is {sizeBytes}"
                    : $"size_bytes is 0, but the hash is not that of the empty blob by {function.WireName()}{OtherFunctionOf(hash, function)}",
                out digest, out error);
        }

        error = null;
        return true;
    }

    // What a client of BLAKE3 meets first: its hashes look like those of SHA-256.
    private static string OtherFunctionOf(ReadOnlySpan<byte> hash, DigestFunction function)
    {
        foreach (var other in DigestFunctions.Supported)
        {
            if (other != function && hash.SequenceEqual(Empty(other).HashSpan))
                return $", it is that by {other.WireName()}: a client of that function says so, with digest_function and in resource names";
        }

        return "";
    }

    /// <summary>Copies the raw hash to the start of <paramref name="destination"/>.</summary>
    public void CopyHashTo(Span<byte> destination) => HashSpan.CopyTo(destination);

    /// <summary>Copies the first 32 bytes of the hash, zero padded, to the start of <paramref name="destination"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void CopyHeadTo(Span<byte> destination) => ((ReadOnlySpan<byte>)_inline)[..InlineBytes].CopyTo(destination);

    /// <summary>Whether these are the first 32 bytes of the hash, zero padded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool StartsWith(ReadOnlySpan<byte> head) => head.Length == InlineBytes && ((ReadOnlySpan<byte>)_inline).SequenceEqual(head[..InlineBytes]);

    public bool Equals(Digest other) =>
        SizeBytes == other.SizeBytes && Function == other.Function
        // All 32 bytes, zero padded: a constant length is two vector instructions.
        && ((ReadOnlySpan<byte>)_inline).SequenceEqual(other._inline)
        && (_long is null || _long.AsSpan().SequenceEqual(other._long));

    public override bool Equals(object? obj) => obj is Digest other && Equals(other);

    // Tempting: a few bytes of the hash are a fine hash code. But a peer may name digests that no blob has, ten thousand
    // of them with those bytes equal, and a table degrades to a list. So each half is multiplied under a secret of this
    // process and folded (the way of wyhash): a tenth of the price of HashCode.AddBytes over 32 bytes.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public override int GetHashCode() => HashCodeOf(_inline);

    /// <summary>The hash code of a digest whose hash begins with these 32 bytes, zero padded.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int HashCodeOf(ReadOnlySpan<byte> head)
    {
        var words = MemoryMarshal.Cast<byte, ulong>(head[..InlineBytes]);
        ulong high1 = Math.BigMul(words[0] ^ Secrets[0], words[1] ^ Secrets[1], out ulong low1);
        ulong high2 = Math.BigMul(words[2] ^ Secrets[2], words[3] ^ Secrets[3], out ulong low2);
        ulong folded = (high1 ^ low1) + BitOperations.RotateLeft(high2 ^ low2, 29);
        return (int)(folded ^ (folded >> 32));
    }

    /// <summary>The digest as resource names write it: <c>hash/size</c>, or <c>blake3/hash/size</c>.</summary>
    public override string ToString()
    {
        if (Function == default) return "";

        string size = SizeBytes.ToString(CultureInfo.InvariantCulture);
        return Function.IsNamedInResources() ? $"{Function.WireName()}/{Hash}/{size}" : $"{Hash}/{size}";
    }

    private static bool Refuse(string reason, out Digest digest, out string error)
    {
        digest = default;
        error = reason;
        return false;
    }

    private static UnreachableException NotOf(DigestFunction function, int bytes) =>
        new($"{function.WireName()} has {function.HashBytes()} bytes, not {bytes}");

    private static string WrongLength(DigestFunction function, int length) =>
        $"the hash has {length} characters, {function.WireName()} has {function.HashBytes() * 2}";

    private static Digest[] MakeEmpties()
    {
        var empties = new Digest[DigestFunctions.Supported.Max(function => (int)function) + 1];
        foreach (var function in DigestFunctions.Supported)
            empties[(int)function] = Of(function, []);
        return empties;
    }

    [InlineArray(InlineBytes)]
    private struct InlineHash
    {
        private byte _first;
    }
}
