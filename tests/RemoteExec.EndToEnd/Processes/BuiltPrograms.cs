namespace RemoteExec.EndToEnd;

/// <summary>Where eng/build put the programs under test, and the files that the tests bring along.</summary>
internal static class BuiltPrograms
{
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    public static string Server { get; } = Program("rexec-server");

    public static string Worker { get; } = Program("rexec-worker");

    public static string Cli { get; } = Program("rexec");

    /// <summary>What our executables need in order to find the runtime that runs this test: .../shared/Microsoft.NETCore.App/10.0.x/</summary>
    public static (string Name, string Value) Runtime { get; } = (
        "DOTNET_ROOT", Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../..")));

    public static string WorkspaceGenerator { get; } =
        Path.Combine(RepositoryRoot, "tests/RemoteExec.EndToEnd/make-bazel-workspace");

    // What a user runs, compiled ahead of time: how fast a killed server is back depends on it, and clients wait three seconds.
    private static string Program(string name) => Path.Combine(RepositoryRoot, "out/bin", name);

    private static string FindRepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no RemoteExec.sln above {AppContext.BaseDirectory}");
    }
}
