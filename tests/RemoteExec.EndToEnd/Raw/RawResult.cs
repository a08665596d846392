namespace RemoteExec.EndToEnd;

/// <summary>How an action ended: ExecuteResponse, as far as these tests look at it.</summary>
/// <param name="Outputs">Files only.</param>
internal sealed record RawResult(
    RawStatus Status, string Message, long ExitCode, string Stdout, RawBlob? StdoutBlob, IReadOnlyDictionary<string, RawBlob> Outputs)
{
    public IReadOnlyList<string> Directories { get; init; } = [];

    public IReadOnlyList<string> Links { get; init; } = [];

    /// <summary>ExecutedActionMetadata.auxiliary_metadata, by the type's address.</summary>
    public IReadOnlyDictionary<string, RawFields> Notes { get; init; } = new Dictionary<string, RawFields>();

    /// <param name="response">build.bazel.remote.execution.v2.ExecuteResponse</param>
    public static RawResult From(RawFields response)
    {
        var result = response.Message(1);
        var status = response.Message(3);
        return new RawResult(
            (RawStatus)status.Number(1),
            $"{status.Text(2)} {response.Text(5)}".Trim(),
            result.Number(4),
            result.Text(5),
            result.Bytes(6).IsEmpty ? null : RawBlob.From(result.Message(6)),
            result.Messages(2).ToDictionary(file => file.Text(1), file => RawBlob.From(file.Message(2))))
        {
            Directories = [.. result.Messages(3).Select(directory => directory.Text(1))],
            Notes = result.Message(9).Messages(11).ToDictionary(note => note.Text(1), note => note.Message(2)),
            Links = [.. result.Messages(12).Select(link => $"{link.Text(1)} -> {link.Text(2)}")],
        };
    }
}
