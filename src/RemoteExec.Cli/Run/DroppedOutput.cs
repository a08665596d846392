using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Cli;

/// <summary>
/// What a worker did not keep of an output that was too long: bytes in the middle, after the first of them. It stands beside the result
/// (ExecutedActionMetadata.auxiliary_metadata, a Struct), because in the output it could not be told from the command's own.
/// </summary>
internal readonly record struct DroppedOutput(long Bytes, long HeadBytes)
{
    public static DroppedOutput OfStdout(ActionResult result) => Of(result, "stdoutDroppedBytes");

    public static DroppedOutput OfStderr(ActionResult result) => Of(result, "stderrDroppedBytes");

    /// <summary>
    /// What is left to show of the stored log when so much of the stream was shown live, which may have been more than was kept: from
    /// where to where in it before the gap, how many bytes nobody will see, and from where behind it.
    /// </summary>
    public (long HeadFrom, long HeadTo, long LostBytes, long TailFrom) After(long shownBytes)
    {
        long tail = HeadBytes + Bytes; // in the stream; in the log it follows the head
        return (Math.Min(shownBytes, HeadBytes), HeadBytes, Math.Clamp(tail - shownBytes, 0, Bytes), Math.Max(shownBytes, tail) - Bytes);
    }

    private static DroppedOutput Of(ActionResult result, string name)
    {
        foreach (var note in result.ExecutionMetadata?.AuxiliaryMetadata ?? [])
        {
            if (note.TryUnpack(out Struct told) && Number(told, name) is > 0 and var bytes)
                return new DroppedOutput(bytes, Number(told, "logHeadBytes"));
        }

        return default;
    }

    private static long Number(Struct told, string name) =>
        told.Fields.GetValueOrDefault(name) is { KindCase: Value.KindOneofCase.NumberValue } value ? (long)value.NumberValue : 0;
}
