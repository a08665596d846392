namespace RemoteExec.Server.Tests;

/// <summary>Commands that succeed without writing what they announced.</summary>
public sealed class IncompleteResultTests
{
    [Test]
    public async Task F05_a_success_that_wrote_none_of_its_outputs_runs_again_and_says_why()
    {
        await using var server = await InProcessServer.StartAsync();

        var first = await server.Client.RunAsync("true");
        var second = await server.Client.RunAsync("true");

        Assert.That((first.CachedResult, second.CachedResult), Is.EqualTo((false, false)));
        Assert.That(first.Message, Does.StartWith("not cached, because the command did not write its output out.txt; ran on local"));
    }

    [TestCase("always", "true", true)]
    [TestCase("some", "echo > out.txt", true)]
    [TestCase("never", "echo > out.txt", true)]
    [TestCase("never", "true", false)]
    public async Task F05_what_is_cached_is_configured(string configured, string script, bool isCached)
    {
        await using var server = await InProcessServer.StartAsync("--cache-incomplete-results", configured);
        await server.Client.RunAsync(script);

        Assert.That((await server.Client.RunAsync(script)).CachedResult, Is.EqualTo(isCached));
    }

    [Test] // a test that Bazel runs
    public async Task F05_outputs_that_are_optional_may_be_missing()
    {
        await using var server = await InProcessServer.StartAsync();
        var xml = ("XML_OUTPUT_FILE", "out.txt");
        await server.Client.RunAsync("true", xml);

        Assert.That((await server.Client.RunAsync("true", xml)).CachedResult);
    }
}
