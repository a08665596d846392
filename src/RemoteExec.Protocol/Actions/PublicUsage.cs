using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Protocol;

/// <summary>
/// What an attempt cost, in a form that every client can print (ExecutedActionMetadata.auxiliary_metadata): an Any of a type that only we
/// know makes the JSON printers of others fail on the whole result. So does Buildbarn's message of what the kernel counted (REAPI T2), which goes beside it
/// where a server is told to.
/// </summary>
public static class PublicUsage
{
    private static readonly string PrivateTypeUrl = "type.googleapis.com/" + Usage.Descriptor.FullName;
    private static readonly string BuildbarnTypeUrl = "type.googleapis.com/" + Buildbarn.ResourceUsage.POSIXResourceUsage.Descriptor.FullName;

    /// <summary>By the names that protobuf's own JSON of the message would have; numbers, where that has strings.</summary>
    public static Struct ToStruct(this Usage usage)
    {
        var told = new Struct
        {
            Fields =
            {
                ["userTimeSeconds"] = Value.ForNumber(Seconds(usage.UserTime)),
                ["systemTimeSeconds"] = Value.ForNumber(Seconds(usage.SystemTime)),
                ["memoryPeakBytes"] = Value.ForNumber(usage.MemoryPeakBytes),
                ["inputBytes"] = Value.ForNumber(usage.InputBytes),
                ["inputFiles"] = Value.ForNumber(usage.InputFiles),
                ["outputBytes"] = Value.ForNumber(usage.OutputBytes),
                ["fetchedBytes"] = Value.ForNumber(usage.FetchedBytes),
            },
        };
        if (usage.StdoutDroppedBytes == 0 && usage.StderrDroppedBytes == 0) return told;

        // For a client that writes a log where data is expected: it is not whole, and this is where.
        told.Fields["stdoutDroppedBytes"] = Value.ForNumber(usage.StdoutDroppedBytes);
        told.Fields["stderrDroppedBytes"] = Value.ForNumber(usage.StderrDroppedBytes);
        told.Fields["logHeadBytes"] = Value.ForNumber(usage.LogHeadBytes);
        return told;
    }

    /// <summary>A result as everybody can read it: one that was stored by an earlier version, or reported by a worker of one, has our own type in it.</summary>
    public static void MakePublic(ActionResult result)
    {
        if (result.ExecutionMetadata is not { AuxiliaryMetadata: { Count: > 0 } notes }) return;

        for (int i = notes.Count - 1; i >= 0; i--)
        {
            if (notes[i].TypeUrl != PrivateTypeUrl) continue;
            if (TryParse(notes[i].Value) is { } usage) notes[i] = Any.Pack(usage.ToStruct());
            else notes.RemoveAt(i);
        }
    }

    /// <summary>Takes Buildbarn's message out, which a worker tells in any case.</summary>
    public static void DropBuildbarn(ActionResult result)
    {
        if (result.ExecutionMetadata is not { AuxiliaryMetadata: { Count: > 0 } notes }) return;

        for (int i = notes.Count - 1; i >= 0; i--)
        {
            if (notes[i].TypeUrl == BuildbarnTypeUrl) notes.RemoveAt(i);
        }
    }

    private static Usage? TryParse(ByteString bytes)
    {
        try
        {
            return Usage.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return null; // a client may store a result with anything in it
        }
    }

    private static double Seconds(Duration? duration) => duration?.ToTimeSpan().TotalSeconds ?? 0;
}
