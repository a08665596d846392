using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Cli;

/// <summary>What older clients and servers write into fields that the protocol has replaced since.</summary>
internal static class OlderFields
{
#pragma warning disable CS0612 // They are read here and nowhere else.
    public static IEnumerable<string> AllOutputPaths(this WireCommand command) =>
        command.OutputPaths.Concat(command.OutputFiles).Concat(command.OutputDirectories).Distinct();

    public static IEnumerable<OutputSymlink> AllSymlinks(this ActionResult result) =>
        result.OutputSymlinks.Concat(result.OutputFileSymlinks).Concat(result.OutputDirectorySymlinks).DistinctBy(link => link.Path);

    public static IReadOnlyList<WirePlatform.Types.Property> PlatformOf(WireAction? action, WireCommand? command) =>
        (action?.Platform ?? command?.Platform)?.Properties ?? [];
#pragma warning restore CS0612
}
