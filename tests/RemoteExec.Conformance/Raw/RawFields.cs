using System.Text;

namespace RemoteExec.Conformance;

/// <summary>The fields of a protobuf message as they stand on the wire, to be read by their numbers.</summary>
internal sealed class RawFields
{
    private const int Varint = 0, Fixed64 = 1, LengthDelimited = 2, Fixed32 = 5;

    private readonly List<(int Number, long Value, ReadOnlyMemory<byte> Bytes)> _fields = [];

    public static RawFields Parse(ReadOnlyMemory<byte> message)
    {
        var parsed = new RawFields();
        while (!message.IsEmpty)
        {
            ulong tag = TakeVarint(ref message);
            int number = (int)(tag >> 3);
            switch ((int)(tag & 7))
            {
                case Varint:
                    parsed._fields.Add((number, (long)TakeVarint(ref message), default));
                    break;
                case LengthDelimited:
                    int length = (int)TakeVarint(ref message);
                    parsed._fields.Add((number, 0, message[..length]));
                    message = message[length..];
                    break;
                case Fixed64:
                    message = message[8..];
                    break;
                case Fixed32:
                    message = message[4..];
                    break;
                default:
                    throw new InvalidDataException($"field {number} has wire type {tag & 7}");
            }
        }

        return parsed;
    }

    /// <summary>The last one, as protobuf says of fields that are no lists; 0 when there is none.</summary>
    public long Number(int number) => _fields.LastOrDefault(field => field.Number == number).Value;

    public ReadOnlyMemory<byte> Bytes(int number) => _fields.LastOrDefault(field => field.Number == number).Bytes;

    public string Text(int number) => Encoding.UTF8.GetString(Bytes(number).Span);

    public RawFields Message(int number) => Parse(Bytes(number));

    public IEnumerable<RawFields> Messages(int number) =>
        _fields.Where(field => field.Number == number).Select(field => Parse(field.Bytes));

    private static ulong TakeVarint(ref ReadOnlyMemory<byte> message)
    {
        ulong value = 0;
        for (int i = 0; ; i++)
        {
            byte part = message.Span[i];
            value |= (ulong)(part & 0x7F) << (7 * i);
            if (part >= 0x80) continue;
            message = message[(i + 1)..];
            return value;
        }
    }
}
