using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace RemoteExec.Conformance;

/// <summary>Changes the JSON of a message by its fields: their names, and values that are right for another type, or nearly right for their own.</summary>
internal sealed class JsonMutator(Random random)
{
    private const int DepthMax = 6;
    private const int DeepLevels = 10_000;

    // In place of what no writer of JSON would write, until it is written.
    private const string Hole = "\u00a7hole";

    // Of what stands in an Any: a directory, in the metadata of a result.
    private static readonly JsonFormatter Writer = new(JsonFormatter.Settings.Default.WithTypeRegistry(TypeRegistry.FromMessages(WireDirectory.Descriptor)));

    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[] Spoilers =
        ["", " ", "null", "[]", "\"\"", "0", "{", "}", "{}{}", "{},", "{\"\":{}}", "{'a':1}", "{a:1}", "// x\n{}", "/**/{}", "{\"@type\":\"x\"}", "{\"a\":1,}", "\u00a0{}", "True", "-"];

    private readonly List<string> _holes = [];

    public byte[] Mutate(IMessage seed)
    {
        var root = JsonNode.Parse(Writer.Format(seed))!.AsObject(); // a message is an object
        for (int changes = random.Next(0, 4); changes > 0; changes--) Change(root, seed.Descriptor, depth: 0);
        string text = root.ToJsonString(Plain);
        for (int i = 0; i < _holes.Count; i++) text = text.Replace($"\"{HoleOf(i)}\"", _holes[i], StringComparison.Ordinal);
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        return random.Next(5) == 0 ? Spoil(bytes) : bytes;
    }

    private static string HoleOf(int number) => string.Create(CultureInfo.InvariantCulture, $"{Hole}{number}.");

    private void Change(JsonObject message, MessageDescriptor type, int depth)
    {
        var fields = type.Fields.InDeclarationOrder();
        if (fields.Count == 0 || random.Next(12) == 0)
        {
            message[JsonTexts.Unknown[random.Next(JsonTexts.Unknown.Length)]] = Written(JsonTexts.OfAnything[random.Next(JsonTexts.OfAnything.Length)]);
            return;
        }

        var field = fields[random.Next(fields.Count)];
        switch (message[field.JsonName])
        {
            case JsonObject child when field.FieldType == FieldType.Message && depth < DepthMax && random.Next(4) > 0:
                Change(child, field.MessageType, depth + 1);
                break;
            case JsonArray list when field.IsRepeated && random.Next(4) > 0:
                Change(list, field, depth);
                break;
            case var present:
                message.Remove(field.JsonName);
                string name = NameOf(field);
                bool isRenamed = name != field.JsonName && present is not null && random.Next(2) == 0;
                message[name] = isRenamed ? present!.DeepClone() : Value(field);
                break;
        }
    }

    private void Change(JsonArray list, FieldDescriptor field, int depth)
    {
        switch (random.Next(6))
        {
            case 0:
                list.Clear();
                break;
            case 1 when list.Count > 0:
                list.Add(list[random.Next(list.Count)]?.DeepClone()); // twice
                break;
            case 2 when list.Count > 0:
                for (int i = random.Next(2, 500); i > 0; i--) list.Add(list[0]?.DeepClone());
                break;
            case 3:
                list.Add(Value(field));
                break;
            case 4:
                list.Add(null);
                break;
            default:
                if (list.Count > 0 && list[random.Next(list.Count)] is JsonObject child && field.FieldType == FieldType.Message) Change(child, field.MessageType, depth + 1);
                break;
        }
    }

    // As protobuf's mapping has it, as the definition has it, and otherwise.
    private string NameOf(FieldDescriptor field) => random.Next(8) switch
    {
        0 => field.Name,
        1 => field.JsonName.ToUpperInvariant(),
        2 => field.JsonName + " ",
        3 => string.Create(CultureInfo.InvariantCulture, $"{field.FieldNumber}"),
        _ => field.JsonName,
    };

    private JsonValue Value(FieldDescriptor field)
    {
        if (random.Next(4) == 0) return Written(JsonTexts.OfAnything[random.Next(JsonTexts.OfAnything.Length)]);
        var texts = JsonTexts.For(field);
        return Written(texts[random.Next(texts.Count)]);
    }

    private JsonValue Written(string json)
    {
        _holes.Add(json);
        return JsonValue.Create(HoleOf(_holes.Count - 1));
    }

    private byte[] Spoil(byte[] json)
    {
        int at = random.Next(json.Length + 1);
        switch (random.Next(8))
        {
            case 0:
                return json[..at];
            case 1:
                return [.. json, .. json];
            case 2:
                return [.. json[..at], 0xFF, 0xC0, .. json[at..]]; // no UTF-8
            case 3:
                return [0xEF, 0xBB, 0xBF, .. json]; // a byte order mark
            case 4:
                return [.. Enumerable.Repeat((byte)(random.Next(2) == 0 ? '[' : '{'), DeepLevels)];
            case 5:
                return [.. Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("{\"a\":", DeepLevels / 10)) + "0")];
            case 6:
                return Encoding.UTF8.GetBytes(Spoilers[random.Next(Spoilers.Length)]);
            default:
                return new WireMutator(random).Mutate(json);
        }
    }
}
