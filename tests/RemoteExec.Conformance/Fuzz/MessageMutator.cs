using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace RemoteExec.Conformance;

/// <summary>Changes messages by their fields, as somebody would who knows what they mean.</summary>
internal sealed class MessageMutator(Random random)
{
    private const int DepthMax = 6;

    private static readonly long[] Numbers =
        [0, 1, -1, 2, 100, 1 << 20, int.MaxValue, int.MinValue, 1L << 40, long.MaxValue, long.MinValue, uint.MaxValue, 253_402_300_800, -62_135_596_801];

    private static readonly string[] Texts =
    [
        "", " ", "/", ".", "..", "../../etc/passwd", "/etc/passwd", "a//b", "a/", "\0", "a\0b", "a\nb", "\r\n", "é", "\u2028", "\uFFFD", "\U0001F600", "%s%n", "{0}", "blobs", "uploads",
        "operations", "sha256", "-1", "00", "9223372036854775807", "99999999999999999999", "stage != completed", "name = \"", "AND AND", "logstreams/x", "http://[::1]/",
    ];

    /// <summary>One to three changes; the seed is left as it is.</summary>
    public IMessage Mutate(IMessage seed)
    {
        var mutant = seed.Descriptor.Parser.ParseFrom(seed.ToByteArray());
        for (int changes = random.Next(1, 4); changes > 0; changes--) Change(mutant, depth: 0);
        return mutant;
    }

    private void Change(IMessage message, int depth)
    {
        var fields = message.Descriptor.Fields.InDeclarationOrder();
        if (fields.Count == 0) return;

        var field = fields[random.Next(fields.Count)];
        if (field.IsMap) return;
        if (field.IsRepeated)
            Change((IList)field.Accessor.GetValue(message), field, depth);
        else if (field.FieldType == FieldType.Message)
            ChangeMessage(message, field, depth);
        else
            field.Accessor.SetValue(message, Scalar(field, field.Accessor.GetValue(message)));
    }

    private void ChangeMessage(IMessage message, FieldDescriptor field, int depth)
    {
        // Wrapped numbers (UInt32Value) are their numbers in C#.
        if (field.MessageType.File.Name == "google/protobuf/wrappers.proto") return;

        var child = (IMessage?)field.Accessor.GetValue(message);
        if (child is null)
            field.Accessor.SetValue(message, field.MessageType.Parser.ParseFrom(ByteString.Empty));
        else if (random.Next(4) == 0)
            field.Accessor.Clear(message);
        else if (depth < DepthMax)
            Change(child, depth + 1);
    }

    private void Change(IList list, FieldDescriptor field, int depth)
    {
        switch (random.Next(6))
        {
            case 0:
                list.Clear();
                break;
            case 1 when list.Count > 0:
                list.Add(list[random.Next(list.Count)]); // twice
                break;
            case 2 when list.Count > 1:
                (list[0], list[^1]) = (list[^1], list[0]); // not sorted
                break;
            case 3 when list.Count > 0:
                for (int i = random.Next(2, 2000); i > 0; i--) list.Add(list[0]);
                break;
            case 4:
                list.Add(field.FieldType == FieldType.Message ? field.MessageType.Parser.ParseFrom(ByteString.Empty) : Scalar(field, null));
                break;
            default:
                if (list.Count == 0) break;
                int at = random.Next(list.Count);
                if (field.FieldType == FieldType.Message)
                    Change((IMessage)list[at]!, depth + 1);
                else
                    list[at] = Scalar(field, list[at]);
                break;
        }
    }

    private object Scalar(FieldDescriptor field, object? value) => field.FieldType switch
    {
        FieldType.Bool => random.Next(2) == 0,
        FieldType.String => Text(value as string ?? ""),
        FieldType.Bytes => ByteString.CopyFrom(new WireMutator(random).Mutate((value as ByteString ?? ByteString.Empty).ToByteArray())),
        FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32 => (int)Number(),
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => Number(),
        FieldType.UInt32 or FieldType.Fixed32 => (uint)Number(),
        FieldType.UInt64 or FieldType.Fixed64 => (ulong)Number(),
        FieldType.Enum => Enum.ToObject(field.EnumType.ClrType, random.Next(3) == 0 ? (int)Number() : random.Next(0, 12)),
        FieldType.Float => (float)Number(),
        FieldType.Double => (double)Number(),
        _ => throw new NotSupportedException($"{field.FullName} is of type {field.FieldType}"),
    };

    private long Number() => random.Next(4) == 0 ? random.NextInt64() : Numbers[random.Next(Numbers.Length)];

    // Half of them near to what is right: a letter changed, cut, in upper case, with a segment more or less.
    private string Text(string right) => random.Next(10) switch
    {
        0 when right.Length > 0 => right[..random.Next(right.Length)],
        1 when right.Length > 0 => right.Remove(random.Next(right.Length), 1),
        2 => right.Insert(random.Next(right.Length + 1), Texts[random.Next(Texts.Length)]),
        3 => right.ToUpperInvariant(),
        4 => string.Join('/', right.Split('/').Reverse()),
        5 => new string((char)random.Next(1, 0x7F), random.Next(1, 70_000)),
        _ => Texts[random.Next(Texts.Length)],
    };
}
