using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace RemoteExec.Testing;

/// <summary>
/// Encoded messages that were right once, changed by somebody who knows how they are built: fields twice, in another order, of another type or number,
/// numbers written too long, lengths that lie, groups, and now and then a byte of noise. The same ones for the same seed.
/// </summary>
internal sealed class ProtoMutants(int seed)
{
    private const int Varint = 0, Fixed64 = 1, Bytes = 2, StartGroup = 3, EndGroup = 4, Fixed32 = 5;

    private static readonly ulong[] Numbers =
        [0, 1, 2, 0x7F, 0x80, int.MaxValue, uint.MaxValue, 1UL << 32, (1UL << 32) + 5, long.MaxValue, ulong.MaxValue, 1 << 29, (1 << 29) - 1];

    private readonly Random _random = new(seed);

    public byte[] Of(IMessage right)
    {
        byte[] mutant = Change(right.ToByteArray(), right.Descriptor);
        for (int more = _random.Next(3); more > 0; more--) mutant = Change(mutant, right.Descriptor);
        return mutant;
    }

    /// <summary>
    /// Whether a message has what Google's parser for .NET takes and others do not, or makes something of that we do not: tags and lengths of which it drops the upper
    /// half, groups, and a message in a message twice.
    /// </summary>
    public static bool IsOdd(ReadOnlySpan<byte> message, MessageDescriptor type)
    {
        var seen = new HashSet<int>();
        int at = 0;
        while (at < message.Length)
        {
            if (!TryRead(message, ref at, out ulong tag)) return false;
            if (tag > uint.MaxValue || (tag & 7) is StartGroup or EndGroup) return true;

            int number = (int)(tag >> 3);
            var field = type.FindFieldByNumber(number);
            switch ((int)(tag & 7))
            {
                case Varint when TryRead(message, ref at, out _):
                    break;
                case Fixed64:
                    at += 8;
                    break;
                case Fixed32:
                    at += 4;
                    break;
                case Bytes when TryRead(message, ref at, out ulong length):
                    if (length > int.MaxValue) return true;
                    if (length > (ulong)(message.Length - at)) return false;
                    if (field is { FieldType: FieldType.Message } && IsOdd(message.Slice(at, (int)length), field.MessageType)) return true;
                    if (field is { FieldType: FieldType.Message, IsRepeated: false } && !seen.Add(number)) return true;
                    at += (int)length;
                    break;
                default:
                    return false;
            }
        }

        return false;
    }

    private byte[] Change(byte[] message, MessageDescriptor type)
    {
        var fields = Split(message);
        if (fields.Count == 0) return Odd();

        int at = _random.Next(fields.Count), other = _random.Next(fields.Count + 1);
        var (number, kind, payload) = fields[at];
        if (_random.Next(2) == 0 && kind == Bytes && type.FindFieldByNumber(number) is { FieldType: FieldType.Message } field)
        {
            fields[at] = (number, kind, Change(payload, field.MessageType));
            return Join(fields);
        }

        switch (_random.Next(13))
        {
            case 0:
                fields.RemoveAt(at);
                return Join(fields);
            case 1:
                fields.Insert(other, fields[at]);
                return Join(fields);
            case 2:
                fields.RemoveAt(at);
                fields.Insert(_random.Next(fields.Count + 1), (number, kind, payload));
                return Join(fields);
            case 3: // of another type
                int otherKind = _random.Next(8);
                return [.. Join(fields[..at]), .. Number((ulong)number << 3 | (uint)otherKind), .. Payload(otherKind), .. Join(fields[(at + 1)..])];
            case 4: // of another number, at times of none
                fields[at] = (_random.Next(3) == 0 ? (int)(Numbers[_random.Next(Numbers.Length)] & 0x1FFFFFFF) : _random.Next(12), kind, payload);
                return Join(fields);
            case 5: // a tag that is longer than it need be, or than it can be
                ulong tag = Tag(number, kind) | (_random.Next(2) == 0 ? 0 : 1UL << _random.Next(32, 64));
                return [.. Join(fields[..at]), .. Number(tag, _random.Next(1, 11)), .. Payload(kind, payload), .. Join(fields[(at + 1)..])];
            case 6:
                return [.. Join(fields[..at]), .. Number(Tag(number, Varint)), .. Number(Numbers[_random.Next(Numbers.Length)], _random.Next(1, 12)), .. Join(fields[(at + 1)..])];
            case 7: // a length that lies
                ulong length = (ulong)payload.Length + (_random.Next(2) == 0 ? Numbers[_random.Next(Numbers.Length)] : (ulong)_random.Next(3));
                return [.. Join(fields[..at]), .. Number(Tag(number, Bytes)), .. Number(length, _random.Next(1, 11)), .. payload, .. Join(fields[(at + 1)..])];
            case 8:
                return message[.._random.Next(message.Length)];
            case 9: // a group, mostly with an end
                byte[] inside = [.. Number(Tag(number, StartGroup)), .. Join(fields[..other]), .. _random.Next(4) == 0 ? [] : Number(Tag(number, EndGroup))];
                return [.. Join(fields[..at]), .. inside, .. Join(fields[at..])];
            case 10:
                return [.. Join(fields[..at]), .. Odd(), .. Join(fields[at..])];
            case 11:
                byte[] turned = [.. message];
                turned[_random.Next(turned.Length)] ^= (byte)(1 << _random.Next(8));
                return turned;
            default:
                fields[at] = (number, kind, kind == Bytes ? Turned(payload) : payload);
                return Join(fields);
        }
    }

    // A field that a newer client may have added, of any type, or of none that there is.
    private byte[] Odd()
    {
        int kind = _random.Next(8);
        return [.. Number((ulong)_random.Next(1, 3000) << 3 | (uint)kind), .. Payload(kind)];
    }

    private byte[] Turned(byte[] payload)
    {
        byte[] turned = [.. payload, (byte)_random.Next(256)];
        turned[_random.Next(turned.Length)] = (byte)_random.Next(256);
        return turned;
    }

    private byte[] Payload(int kind) => Payload(kind, [.. Enumerable.Range(0, kind switch { Fixed64 => 8, Fixed32 => 4, _ => _random.Next(1, 10) }).Select(_ => (byte)_random.Next(128))]);

    private static byte[] Payload(int kind, byte[] payload) => kind == Bytes ? [.. Number((ulong)payload.Length), .. payload] : payload;

    private static ulong Tag(int number, int kind) => (ulong)number << 3 | (uint)kind;

    private static byte[] Join(IEnumerable<(int Number, int Kind, byte[] Payload)> fields) =>
        [.. fields.SelectMany(field => (byte[])[.. Number(Tag(field.Number, field.Kind)), .. Payload(field.Kind, field.Payload)])];

    /// <summary>What can still be told apart; the rest is dropped.</summary>
    private static List<(int Number, int Kind, byte[] Payload)> Split(ReadOnlySpan<byte> message)
    {
        var fields = new List<(int, int, byte[])>();
        int at = 0;
        while (at < message.Length && TryRead(message, ref at, out ulong tag))
        {
            int start = at, kind = (int)(tag & 7);
            ulong length = kind switch { Fixed64 => 8, Fixed32 => 4, _ => 0 };
            if (kind is Varint or Bytes && !TryRead(message, ref at, out length)) break;
            if (kind == Varint) (length, at) = ((ulong)(at - start), start);
            if (kind > Bytes && kind != Fixed32 || length > (ulong)(message.Length - at)) break;

            fields.Add(((int)(tag >> 3), kind, message.Slice(at, (int)length).ToArray()));
            at += (int)length;
        }

        return fields;
    }

    private static byte[] Number(ulong value, int bytesMin = 1)
    {
        var bytes = new List<byte>();
        for (; value >= 0x80 || bytes.Count + 1 < bytesMin; value >>= 7) bytes.Add((byte)(value | 0x80));
        return [.. bytes, (byte)value];
    }

    private static bool TryRead(ReadOnlySpan<byte> message, ref int at, out ulong value)
    {
        value = 0;
        for (int shift = 0; shift < 70 && at < message.Length; shift += 7)
        {
            byte next = message[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return true;
        }

        return false;
    }
}
