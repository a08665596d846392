namespace RemoteExec.Core;

/// <summary>The names of compressors in resource names.</summary>
public static class Compressors
{
    /// <summary>The lower-case enum name, as <c>compressed-blobs/{compressor}/</c> spells it.</summary>
    public static string WireName(this Compressor compressor) => compressor == Compressor.Zstd ? "zstd" : "identity";

    /// <summary>Identity has no name here: REAPI gives it the plain <c>blobs/</c> form.</summary>
    public static bool TryFromWireName(ReadOnlySpan<char> name, out Compressor compressor)
    {
        bool isZstd = name.SequenceEqual("zstd");
        compressor = isZstd ? Compressor.Zstd : default;
        return isZstd;
    }
}
