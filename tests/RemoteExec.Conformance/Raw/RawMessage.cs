using System.Text;

namespace RemoteExec.Conformance;

/// <summary>Protobuf by hand: what no generated class would send must be sayable too.</summary>
internal static class RawMessage
{
    private const int Varint = 0, LengthDelimited = 2;

    /// <summary>Fields in the given order; a value is a number, text, bytes, or null for nothing at all.</summary>
    public static byte[] Of(params ReadOnlySpan<(int Number, object? Value)> fields)
    {
        using var message = new MemoryStream();
        foreach (var (number, value) in fields)
        {
            switch (value)
            {
                case null:
                    break;
                case bool or int or long:
                    Write(message, (ulong)((number << 3) | Varint));
                    Write(message, (ulong)(value is bool truth ? (truth ? 1 : 0) : Convert.ToInt64(value, null)));
                    break;
                default:
                    byte[] bytes = value as byte[] ?? Encoding.UTF8.GetBytes((string)value);
                    Write(message, (ulong)((number << 3) | LengthDelimited));
                    Write(message, (ulong)bytes.Length);
                    message.Write(bytes);
                    break;
            }
        }

        return message.ToArray();
    }

    private static void Write(MemoryStream message, ulong value)
    {
        for (; value >= 0x80; value >>= 7) message.WriteByte((byte)(value | 0x80));
        message.WriteByte((byte)value);
    }
}
