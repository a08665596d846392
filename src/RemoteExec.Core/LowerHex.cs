using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace RemoteExec.Core;

/// <summary>
/// Lower-case hexadecimal, the only spelling of a hash that REAPI allows, 32 characters at a time. Checked and decoded in one pass: a question about
/// ten thousand blobs has 640,000 of them.
/// </summary>
internal static class LowerHex
{
    private const int Block = 32;

    /// <summary>False when a character is anything else; <paramref name="bytes"/> is then undefined.</summary>
    /// <param name="text">Two characters for each of <paramref name="bytes"/>.</param>
    public static bool TryDecode(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        Debug.Assert(text.Length == 2 * bytes.Length);
        bool isHex = true;
        while (text.Length >= Block && Vector256.IsHardwareAccelerated)
        {
            isHex &= TryDecodeBlock(ref MemoryMarshal.GetReference(text), ref MemoryMarshal.GetReference(bytes));
            text = text[Block..];
            bytes = bytes[(Block / 2)..];
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            int high = Value(text[2 * i]), low = Value(text[(2 * i) + 1]);
            bytes[i] = (byte)((high << 4) | low);
            isHex &= (high | low) >= 0;
        }

        return isHex;
    }

    private static bool TryDecodeBlock(ref byte text, ref byte bytes)
    {
        var characters = Vector256.LoadUnsafe(ref text);
        var digits = characters - Vector256.Create((byte)'0');
        var letters = characters - Vector256.Create((byte)'a');
        var areDigits = Vector256.LessThanOrEqual(digits, Vector256.Create((byte)9));
        var areLetters = Vector256.LessThanOrEqual(letters, Vector256.Create((byte)5));
        var values = Vector256.ConditionalSelect(areDigits, digits, letters + Vector256.Create((byte)10));
        // In a pair the first, which is the low byte, is the high half.
        var pairs = values.AsUInt16();
        var joined = ((pairs << 4) | (pairs >> 8)) & Vector256.Create((ushort)0xFF);
        Vector128.Narrow(joined.GetLower(), joined.GetUpper()).StoreUnsafe(ref bytes);
        return (areDigits | areLetters) == Vector256<byte>.AllBitsSet;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Value(byte character) => character switch
    {
        >= (byte)'0' and <= (byte)'9' => character - '0',
        >= (byte)'a' and <= (byte)'f' => character - 'a' + 10,
        _ => -1,
    };
}
