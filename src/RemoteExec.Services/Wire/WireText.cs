using System.Buffers;
using System.Text;

namespace RemoteExec.Services;

/// <summary>Text of a message. What is no UTF-8 is no message (protobuf, "Scalar Value Types").</summary>
internal static class WireText
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static string Read(in ReadOnlySequence<byte> bytes)
    {
        try
        {
            return Strict.GetString(bytes);
        }
        catch (DecoderFallbackException)
        {
            throw ProtoScanner.Malformed();
        }
    }

    public static string Read(ReadOnlySpan<byte> bytes)
    {
        Check(bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    public static void Check(ReadOnlySpan<byte> bytes)
    {
        if (!System.Text.Unicode.Utf8.IsValid(bytes)) throw ProtoScanner.Malformed();
    }
}
