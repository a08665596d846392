using System.Globalization;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>What a blob's file is called: <c>sha256-HASH-SIZE</c>.</summary>
internal static class BlobFileName
{
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
