using System.Collections;
using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Web;

/// <summary>Fields of a message by their names in a path or a query (google/api/http.proto): <c>action_digest.hash</c>, <c>pageSize</c>.</summary>
internal static class JsonFields
{
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT.</exception>
    public static void Set(IMessage message, string path, string text)
    {
        string[] names = path.Split('.');
        foreach (string name in names.SkipLast(1))
        {
            var parent = Find(message, name, path);
            if (parent.FieldType != FieldType.Message || parent.IsRepeated || parent.IsMap) throw Unknown(path);
            if (parent.Accessor.GetValue(message) is not IMessage child) parent.Accessor.SetValue(message, child = parent.MessageType.Parser.ParseFrom(ByteString.Empty));
            message = child;
        }

        var field = Find(message, names[^1], path);
        object value = Parse(field, path, text);
        if (field.IsRepeated) ((IList)field.Accessor.GetValue(message)).Add(value);
        else field.Accessor.SetValue(message, value);
    }

    private static FieldDescriptor Find(IMessage message, string name, string path) =>
        message.Descriptor.Fields.InDeclarationOrder().FirstOrDefault(field => field.Name == name || field.JsonName == name) ?? throw Unknown(path);

    private static object Parse(FieldDescriptor field, string path, string text) => field.FieldType switch
    {
        FieldType.String => text,
        FieldType.Bool when bool.TryParse(text, out bool value) => value,
        FieldType.Int32 when int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) => value,
        FieldType.Int64 when long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value) => value,
        FieldType.Enum when field.EnumType.FindValueByName(text) is { } value => Enum.ToObject(field.EnumType.ClrType, value.Number),
        FieldType.Message or FieldType.Group or FieldType.Bytes => throw Unknown(path),
        _ => throw RpcErrors.InvalidField(path, $"{path} cannot be {PrintableText.Quote(text, 64)}"),
    };

    private static Grpc.Core.RpcException Unknown(string path) =>
        RpcErrors.Invalid($"there is no parameter {PrintableText.Quote(path, 64)}");
}
