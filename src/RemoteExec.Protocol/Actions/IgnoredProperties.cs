using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Core;

namespace RemoteExec.Protocol;

/// <summary>
/// The platform properties that were left out of account when a worker was looked for, told with the result
/// (ExecutedActionMetadata.auxiliary_metadata) so that nobody wonders; as a type that every client can print.
/// </summary>
public static class IgnoredProperties
{
    private const string Field = "ignored_properties";

    public static void Record(ExecutedActionMetadata metadata, IReadOnlyList<PlatformProperty> ignored)
    {
        if (ignored.Count == 0) return;

        var values = new Struct();
        foreach (var property in ignored) values.Fields[property.Name] = Value.ForString(property.Value);
        metadata.AuxiliaryMetadata.Add(Any.Pack(new Struct { Fields = { [Field] = Value.ForStruct(values) } }));
    }

    /// <summary>Their names, as <see cref="Record"/> wrote them.</summary>
    public static IReadOnlySet<string> NamesIn(ExecutedActionMetadata? metadata) => (metadata?.AuxiliaryMetadata ?? [])
        .SelectMany(note => TryRead(note)?.Fields.GetValueOrDefault(Field)?.StructValue?.Fields.Keys ?? [])
        .ToHashSet();

    private static Struct? TryRead(Any note)
    {
        try
        {
            return note.TryUnpack<Struct>(out var told) ? told : null;
        }
        catch (InvalidProtocolBufferException)
        {
            return null; // a client may store a result with anything in it
        }
    }
}
