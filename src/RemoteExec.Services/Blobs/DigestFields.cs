using System.Text;
using RemoteExec.Core;

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

    private const byte HashTag = (HashField << 3) | ProtoScanner.Bytes;
    private const byte SizeTag = (SizeField << 3) | ProtoScanner.Varint;

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

    /// <summary>
    /// Reads a whole field, its tag first, as every client's library writes it: tags and lengths of one byte, hash before size, nothing else. False for any other, also
    /// for one that is to be refused.
    /// </summary>
    /// <param name="field">And what is behind it.</param>
    /// <param name="length">Of the field.</param>
    public static bool TryReadUsual(ReadOnlySpan<byte> field, byte tag, DigestFunction function, out Digest digest, out int length)
    {
        const int HashStart = 4;
        int sizeStart = HashStart + (2 * function.HashBytes());
        (digest, length) = (default, 0);
        if (field.Length < sizeStart + 2 || field[0] != tag || field[1] >= 0x80) return false;
        length = 2 + field[1];
        if (field.Length < length || length < sizeStart + 2) return false;
        if (field[2] != HashTag || field[3] != sizeStart - HashStart || field[sizeStart] != SizeTag) return false;

        long sizeBytes = 0;
        var size = field[(sizeStart + 1)..length];
        if (size.Length > 8 || size[^1] >= 0x80) return false;
        for (int i = 0; i < size.Length; i++)
        {
            if (size[i] < 0x80 && i < size.Length - 1) return false;
            sizeBytes |= (long)(size[i] & 0x7F) << (7 * i);
        }

        return Digest.TryParse(function, field[HashStart..sizeStart], sizeBytes, out digest, out _);
    }
}
