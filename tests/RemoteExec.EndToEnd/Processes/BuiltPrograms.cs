namespace RemoteExec.EndToEnd;

/// <summary>Where the build put the programs under test, and the files that the tests bring along.</summary>
internal static class BuiltPrograms
{
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    public static string Server { get; } = Program("src/RemoteExec.Server", "rexec-server");

    public static string Worker { get; } = Program("workers/RemoteExec.Worker", "rexec-worker");

    public static string Cli { get; } = Program("src/RemoteExec.Cli", "rexec");

    /// <summary>What our executables need in order to find the runtime that runs this test: .../shared/Microsoft.NETCore.App/10.0.x/</summary>
    public static (string Name, string Value) Runtime { get; } = (
        "DOTNET_ROOT", Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../..")));

    public static string WorkspaceGenerator { get; } =
        Path.Combine(RepositoryRoot, "tests/RemoteExec.EndToEnd/make-bazel-workspace");

    // .../bin/Release/net10.0/ of this assembly names the configuration and framework of all of them.
    private static string Program(string project, string name)
    {
        var framework = new DirectoryInfo(AppContext.BaseDirectory.TrimEnd('/'));
        return Path.Combine(RepositoryRoot, project, "bin", framework.Parent!.Name, framework.Name, name);
    }

    private static string FindRepositoryRoot()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "RemoteExec.sln"))) return folder.FullName;
        }

        throw new DirectoryNotFoundException($"no RemoteExec.sln above {AppContext.BaseDirectory}");
    }
}
