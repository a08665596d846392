using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>What the rows share: folders that vanish at the end, and the server as a user would start it.</summary>
internal sealed class Bench : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private int _folders;

    public string NewFolder(string name)
    {
        string folder = _folder.Combine($"{name}-{_folders++}");
        Directory.CreateDirectory(folder);
        return folder;
    }

    /// <summary>The one command of the README, default settings, empty store.</summary>
    public Task<ServerProcess> StartServerAsync(params IReadOnlyList<string> flags) =>
        ServerProcess.StartProgramAsync(Path.Combine(BuiltPrograms.RepositoryRoot, "eng/up"), NewFolder("server"), flags);

    /// <summary>The server of the earlier commit that eng/lib/baseline.sh names, built and started the same way.</summary>
    public Task<ServerProcess> StartBaselineAsync() =>
        ServerProcess.StartProgramAsync(Path.Combine(Baseline.Root, "eng/up"), NewFolder("baseline"));

    public void Dispose() => _folder.Dispose();
}
