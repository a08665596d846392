using System.Text;

namespace RemoteExec.Services;

/// <summary>
/// One encoded digest.
/// <code>
/// 1: hash   2: size_bytes
/// </code>
/// </summary>
internal static class DigestFields
{
    private const int HashField = 1;
    private const int SizeField = 2;

    // Only the length matters, and no function's is near this: a hostile one must not become a string.
    private const int LengthMax = 1024;

    public static void Read(ReadOnlySpan<byte> digest, out ReadOnlySpan<byte> hash, out long sizeBytes)
    {
        hash = default;
        sizeBytes = 0;
        var scanner = new ProtoScanner(digest);
        while (scanner.MoveNext())
        {
            switch (scanner.Field, scanner.WireType)
            {
                case (HashField, ProtoScanner.Bytes):
                    // The last one counts, and is looked at by who asked; of the others no more is asked than that they are text.
                    if (!hash.IsEmpty) WireText.Check(hash);
                    hash = scanner.ReadBytes();
                    break;
                case (SizeField, ProtoScanner.Varint): sizeBytes = (long)scanner.ReadVarint(); break;
                default: scanner.Skip(); break;
            }
        }
    }

    /// <summary>In characters, by which an unnamed function is told.</summary>
    public static int HashLength(ReadOnlySpan<byte> hash) => Encoding.UTF8.GetCharCount(hash[..Math.Min(hash.Length, LengthMax)]);
}
