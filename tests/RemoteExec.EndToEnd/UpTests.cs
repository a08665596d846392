using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>The one command of the README, as a newcomer types it.</summary>
public sealed class UpTests
{
    // A first build takes a minute; a start must not.
    private static readonly TimeSpan BuildWithin = TimeSpan.FromMinutes(6);

    private static readonly string Up = Path.Combine(BuiltPrograms.RepositoryRoot, "eng/up");

    [OneTimeSetUp]
    public async Task BuildAsync()
    {
        await using var build = ChildProcess.Start(
            Path.Combine(BuiltPrograms.RepositoryRoot, "eng/build"), [], "/", new Dictionary<string, string?>());
        Assert.That(await build.Exited.WaitAsync(BuildWithin), Is.Zero, () => build.Output.ToString());
    }

    [Test]
    public async Task Up_becomes_a_server_that_builds_and_stops_on_SIGTERM()
    {
        var bazel = Lab.Bazel(BazelVersion.V4);
        await bazel.CleanAsync();
        await using var server = await ServerProcess.StartProgramAsync(Up, Lab.NewFolder("server"));

        (await bazel.RunAsync("build", "--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}", "//gen/..."))
            .ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        // It ended in exec: the process that was started is the server, and the signal reaches it.
        await server.StopAsync();
    }

    [Test]
    public async Task Up_prints_the_line_to_paste_into_a_Bazel_command()
    {
        await using var server = await ServerProcess.StartProgramAsync(Up, Lab.NewFolder("server"));

        // Written before it is ready, so it is there by now; after the stop all of it was read.
        await server.StopAsync();

        Assert.That(server.Log.ToString(), Does.Contain($"--remote_executor=grpc://{server.GrpcAddress}"));
    }
}
