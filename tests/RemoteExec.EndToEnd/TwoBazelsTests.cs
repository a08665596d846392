using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Builds that meet at one server.</summary>
public sealed class TwoBazelsTests
{
    private static readonly string[] Packages = ["steps", "gen", "cc", "tree"];
    private static readonly IEnumerable<string> Work = Packages.Select(package => $"//{package}/...");

    [Test]
    public async Task Two_versions_and_two_equal_builds_at_once_are_all_served()
    {
        var expected = (await Lab.LocalOutputsAsync(BazelVersion.V4)).Under(Packages);
        var expectedOfOld = (await Lab.LocalOutputsAsync(BazelVersion.V2)).Under(Packages);
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        await using var twin = Lab.AnotherBazel(BazelVersion.V4);
        var (current, old) = (Lab.Bazel(BazelVersion.V4), Lab.Bazel(BazelVersion.V2));
        await Task.WhenAll(current.CleanAsync(), old.CleanAsync(), twin.CleanAsync());

        string[] arguments = ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}", .. Work];
        var results = await Task.WhenAll(
            current.RunAsync("build", arguments), twin.RunAsync("build", arguments), old.RunAsync("build", arguments));

        foreach (var result in results) result.ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
        (await current.HashOutputsAsync()).Under(Packages).ShouldEqual(expected);
        (await twin.HashOutputsAsync()).Under(Packages).ShouldEqual(expected);
        (await old.HashOutputsAsync()).Under(Packages).ShouldEqual(expectedOfOld);
        await server.StopAsync();
    }
}
