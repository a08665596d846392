using NUnit.Framework;
using NUnit.Framework.Interfaces;

namespace RemoteExec.EndToEnd;

/// <summary>A fresh server for the fixture, and one Bazel to build through it.</summary>
public abstract class RemoteBuildFixture(string bazelVersion)
{
    private ServerProcess? _server;

    private protected BazelVersion Version { get; } = Lab.Version(bazelVersion);

    private protected BazelClient Bazel => Lab.Bazel(Version);

    private protected ServerProcess Server => _server ?? throw new InvalidOperationException("the server was not started");

    /// <summary>Flags of the server beyond its addresses and data directory.</summary>
    private protected virtual IReadOnlyList<string> ServerFlags => [];

    [OneTimeSetUp]
    public async Task StartServerAsync() =>
        _server = await ServerProcess.StartAsync(Lab.NewFolder("server"), ServerFlags);

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is null) return;
        try
        {
            await _server.StopAsync();
        }
        finally
        {
            await _server.DisposeAsync();
        }
    }

    [TearDown]
    public void ShowTheServersLogOnFailure()
    {
        if (TestContext.CurrentContext.Result.Outcome.Status == TestStatus.Failed)
            TestContext.Out.WriteLine($"The server's last lines:\n{Server.Log.Tail(80)}");
    }

    /// <summary>All targets that are not tagged manual, with every feature this version has.</summary>
    internal static IReadOnlyList<string> Everything(BazelVersion version) =>
        version.HasSymlinkActions ? ["--config=symlink", "//..."] : ["//..."];

    private protected static IReadOnlyList<string> Through(ServerProcess server) =>
        ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}"];

    private protected Task<BazelResult> BuildAsync(params IEnumerable<string> arguments) =>
        Bazel.RunAsync("build", [.. Through(Server), .. arguments]);

    private protected Task<BazelResult> TestAsync(params IEnumerable<string> arguments) =>
        Bazel.RunAsync("test", [.. Through(Server), .. arguments]);
}
