using System.Globalization;

namespace RemoteExec.EndToEnd;

/// <summary>
/// One Bazel with an output base of its own. Its background server lives as long as this object: it is
/// told to shut down at the end, and seen to be gone.
/// </summary>
internal sealed class BazelClient : IAsyncDisposable
{
    private static readonly TimeSpan CommandLimit = TimeSpan.FromMinutes(4);
    private static readonly TimeSpan ShutdownLimit = TimeSpan.FromSeconds(30);

    private readonly BazelWorkspace _workspace;
    private readonly string _outputUserRoot;
    private string? _binFolder;

    public BazelClient(BazelVersion version, BazelWorkspace workspace, string outputUserRoot)
    {
        if (!File.Exists(version.Program))
            throw new FileNotFoundException($"Bazel {version} is not at {version.Program}: ./eng/test installs it", version.Program);

        Version = version;
        _workspace = workspace;
        _outputUserRoot = outputUserRoot;
    }

    public BazelVersion Version { get; }

    /// <summary>Starts a command and returns while it runs.</summary>
    public BazelRun Start(string command, params IEnumerable<string> arguments)
    {
        string[] all =
        [
            // A test run that is killed cannot shut it down; then it ends by itself.
            $"--output_user_root={_outputUserRoot}", "--max_idle_secs=120", .. Version.StartupFlags, command, .. arguments,
        ];
        var environment = new Dictionary<string, string?> { ["HOME"] = _outputUserRoot };
        Directory.CreateDirectory(_outputUserRoot);
        var process = ChildProcess.Start(Version.Program, all, _workspace.Folder, environment);
        return new BazelRun(process, $"bazel {Version} {string.Join(' ', all)}", CommandLimit);
    }

    public async Task<BazelResult> RunAsync(string command, params IEnumerable<string> arguments)
    {
        await using var run = Start(command, arguments);
        return await run.Result;
    }

    /// <summary>Forgets all local results; what the server has stays.</summary>
    public async Task CleanAsync() => (await RunAsync("clean")).OrThrow();

    /// <summary>bazel-bin, where the outputs are.</summary>
    public async Task<string> BinFolderAsync() => _binFolder ??= await InfoAsync("bazel-bin");

    public async ValueTask DisposeAsync()
    {
        int server = int.Parse(await InfoAsync("server_pid"), CultureInfo.InvariantCulture);
        (await RunAsync("shutdown")).OrThrow();
        await Eventually.TrueAsync($"the server of Bazel {Version} (process {server}) is gone", ShutdownLimit,
            () => !ProcessTable.IsRunning(server));
    }

    private async Task<string> InfoAsync(string key)
    {
        var result = await RunAsync("info", key);
        return result.OrThrow().StandardOutput.Trim();
    }
}
