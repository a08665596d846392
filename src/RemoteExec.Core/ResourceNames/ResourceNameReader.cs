using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace RemoteExec.Core;

/// <summary>Walks a resource name from left to right, one segment at a time.</summary>
/// <param name="unnamed">What a hash means whose function is not named: <see cref="DigestFunctions.TryInfer"/>.</param>
internal ref struct ResourceNameReader(string name, DigestFunction unnamed)
{
    private readonly string _name = name;
    private readonly DigestFunction _unnamed = unnamed;
    private int _position; // of the next segment's first character; past the end when there is none

    public readonly bool IsAtEnd => _position > _name.Length;

    public readonly ReadOnlySpan<char> Rest => IsAtEnd ? [] : _name.AsSpan(_position);

    /// <summary>The next segment; empty at the end as well, which no field of a name may be.</summary>
    public ReadOnlySpan<char> ReadSegment()
    {
        var rest = Rest;
        int slash = rest.IndexOf('/');
        var segment = slash < 0 ? rest : rest[..slash];
        _position = Math.Min(_position, _name.Length) + segment.Length + 1;
        return segment;
    }

    /// <summary>
    /// The instance name is whatever stands before the first reserved segment. It cannot contain one
    /// itself, so the keyword is found whatever its depth, while metadata behind it may say anything.
    /// </summary>
    public bool TryReadInstance(
        out InstanceName instance, out ReadOnlySpan<char> keyword, [NotNullWhen(false)] out string? error)
    {
        while (!IsAtEnd)
        {
            int start = _position;
            keyword = ReadSegment();
            if (InstanceName.IsReserved(keyword))
                return InstanceName.TryParse(start == 0 ? "" : _name[..(start - 1)], out instance, out error);
        }

        instance = default;
        keyword = default;
        error = "the name has none of the segments 'blobs', 'compressed-blobs' and 'uploads'";
        return false;
    }

    /// <summary>Reads what follows <paramref name="keyword"/>: <c>{compressor/}{function/}{hash}/{size}</c>.</summary>
    public bool TryReadBlob(
        InstanceName instance, ReadOnlySpan<char> keyword, out BlobResourceName blob, [NotNullWhen(false)] out string? error)
    {
        blob = default;
        if (!TryReadCompressor(keyword, out var compressor, out error)) return false;
        if (!TryReadDigest(out var digest, out error)) return false;

        blob = new BlobResourceName(instance, digest, compressor);
        return true;
    }

    private bool TryReadCompressor(ReadOnlySpan<char> keyword, out Compressor compressor, [NotNullWhen(false)] out string? error)
    {
        compressor = Compressor.Identity;
        error = null;
        if (keyword.SequenceEqual("blobs")) return true;

        if (!keyword.SequenceEqual("compressed-blobs"))
        {
            error = $"expected 'blobs' or 'compressed-blobs', the name has '{keyword}'";
            return false;
        }

        var name = ReadSegment();
        if (Compressors.TryFromWireName(name, out compressor)) return true;

        error = $"'{name}' is not a compressor of this server, which has zstd";
        return false;
    }

    private bool TryReadDigest(out Digest digest, [NotNullWhen(false)] out string? error)
    {
        digest = default;
        var hash = ReadSegment();
        if (DigestFunctions.TryFromWireName(hash, out var function))
        {
            // REAPI forbids clients to name the functions that a hash's length tells; being told is no harm.
            hash = ReadSegment();
        }
        else if (!DigestFunctions.TryInfer(hash.Length, _unnamed, out function))
        {
            error = $"'{hash}' is neither the name of a hash function of this server nor a hash of one";
            return false;
        }

        var size = ReadSegment();
        // One spelling for each size: no sign, no spaces, no leading zeros.
        bool isCanonical = size is "0" || (size.Length > 0 && size[0] is >= '1' and <= '9');
        if (!isCanonical || !long.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out long sizeBytes))
        {
            error = $"'{size}' is not a size in bytes";
            return false;
        }

        return Digest.TryParse(function, hash, sizeBytes, out digest, out error);
    }
}
