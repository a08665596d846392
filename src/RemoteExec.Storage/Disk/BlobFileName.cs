using System.Globalization;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// What a blob's files are called: <c>sha256-HASH-SIZE</c>; <c>….data</c> without the executable bit; <c>….BYTES.zst</c> for a zstd frame of so many
/// bytes, so that a restart need not ask the disk for them.
/// </summary>
internal static class BlobFileName
{
    private const string VariantSuffix = ".data";
    private const string FrameSuffix = ".zst";

    public static string Of(in Digest digest, bool isVariant) => isVariant ? Of(digest) + VariantSuffix : Of(digest);

    public static string OfFrame(in Digest digest, long frameBytes) => string.Create(CultureInfo.InvariantCulture, $"{Of(digest)}.{frameBytes}{FrameSuffix}");

    /// <summary>Reads the name of any of them.</summary>
    public static bool TryParse(ReadOnlySpan<char> name, out Digest digest, out bool isVariant, out long frameBytes)
    {
        (digest, frameBytes) = (default, 0);
        isVariant = name.EndsWith(VariantSuffix);
        if (isVariant) return TryParse(name[..^VariantSuffix.Length], out digest);
        if (!name.EndsWith(FrameSuffix)) return TryParse(name, out digest);

        var stem = name[..^FrameSuffix.Length];
        int dot = stem.LastIndexOf('.');
        return dot > 0
            && long.TryParse(stem[(dot + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out frameBytes)
            && frameBytes > 0
            && TryParse(stem[..dot], out digest);
    }

    public static string Of(in Digest digest) =>
        string.Create(CultureInfo.InvariantCulture, $"{digest.Function.WireName()}-{digest.Hash}-{digest.SizeBytes}");

    public static bool TryParse(ReadOnlySpan<char> name, out Digest digest)
    {
        digest = default;
        int first = name.IndexOf('-');
        int last = name.LastIndexOf('-');
        return first > 0 && last > first
            && DigestFunctions.TryFromWireName(name[..first], out var function)
            && long.TryParse(name[(last + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out long sizeBytes)
            && Digest.TryParse(function, name[(first + 1)..last], sizeBytes, out digest, out _);
    }
}
