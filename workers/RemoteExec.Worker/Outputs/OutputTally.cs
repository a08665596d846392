using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>What became of the outputs that a command announced. The coordinator decides what follows from it.</summary>
internal static class OutputTally
{
    // Set for every test that Bazel runs (its Test Encyclopedia): what a test is offered to write, it may leave out.
    private const string TestVariable = "XML_OUTPUT_FILE";

    public static AnnouncedOutputs Of(CommandSpec command, ActionResult result)
    {
        var written = new HashSet<string>(StringComparer.Ordinal);
#pragma warning disable CS0612 // deprecated on the wire, and all that a client of 2.0 is told of links
        var links = result.OutputSymlinks.Concat(result.OutputFileSymlinks).Concat(result.OutputDirectorySymlinks);
#pragma warning restore CS0612
        foreach (var file in result.OutputFiles) written.Add(file.Path);
        foreach (var directory in result.OutputDirectories) written.Add(directory.Path);
        foreach (var link in links) written.Add(link.Path);

        return new AnnouncedOutputs
        {
            Announced = command.Outputs.Paths.Length,
            Written = written.Count,
            FirstMissing = command.Outputs.Paths.Where(output => !written.Contains(output.Path)).Select(output => output.Path).FirstOrDefault() ?? "",
            Optional = command.Environment.Any(variable => variable.Name == TestVariable),
        };
    }
}
