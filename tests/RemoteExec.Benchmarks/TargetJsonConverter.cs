using System.Text.Json;
using System.Text.Json.Serialization;

namespace RemoteExec.Benchmarks;

/// <summary>Writes a target as people read it; the file is looked at, never read back.</summary>
internal sealed class TargetJsonConverter : JsonConverter<Target>
{
    public override Target Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        throw new NotSupportedException("the report of a run is written only");

    public override void Write(Utf8JsonWriter writer, Target value, JsonSerializerOptions options) =>
        writer.WriteStringValue(value.ToString());
}
