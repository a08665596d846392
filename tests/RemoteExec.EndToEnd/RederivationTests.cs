using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>Somebody deletes outputs from the disk of a server; what needs them as inputs is built all the same.</summary>
[TestFixture]
public sealed class RederivationTests
{
    // A file of its own in the store: too large for a segment.
    private const int OutputBytes = 1_000_000;

    private static readonly TimeSpan SeenWithin = TimeSpan.FromSeconds(60);

    private readonly TemporaryFolder _folder = new();
    private ServerProcess _server = null!;
    private RawExecutor _executor = null!;
    private string _data = "";

    [SetUp]
    public async Task StartServerAsync()
    {
        _data = _folder.Combine(Guid.NewGuid().ToString("n"));
        _server = await ServerProcess.StartAsync(_data, "--sandbox", "off", "--slots", "2");
        _executor = new RawExecutor(_server.GrpcAddress);
    }

    [TearDown]
    public async Task StopServerAsync()
    {
        _executor?.Dispose();
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
    }

    [OneTimeTearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public async Task An_input_that_is_lost_while_the_server_runs_is_made_again()
    {
        var made = await MakeAsync(Producer("a"));
        Delete(made);

        await AssertBuildsAsync("a", made);

        Assert.That(await CountAsync("restored"), Is.EqualTo(1));
        Assert.That((await _executor.ReadAsync(made)).Content, Has.Length.EqualTo(OutputBytes));
    }

    [Test]
    public async Task A_chain_of_three_that_is_lost_while_the_server_is_away_is_made_again()
    {
        var (one, two, three) = await MakeChainAsync();
        await _server.StopAsync();
        foreach (var made in new[] { one, two, three }) Delete(made);
        await _server.RestartAsync();

        await AssertBuildsAsync("c", three);

        Assert.That(await CountAsync("restored"), Is.EqualTo(1));
        foreach (var made in new[] { one, two, three }) Assert.That((await _executor.ReadAsync(made)).Status, Is.EqualTo(RawStatus.Ok));
    }

    [Test]
    public async Task What_comes_out_differently_is_missing_and_its_client_is_told()
    {
        var made = await MakeAsync(new RawAction("/bin/sh", "-c", $"head -c {OutputBytes} /dev/urandom > out") { Outputs = ["out"], IsCached = true });
        Delete(made);

        var result = await _executor.ExecuteAsync(Consumer(made));

        Assert.That(result.Status, Is.EqualTo(RawStatus.FailedPrecondition), result.ToString());
        Assert.That(result.Message, Does.Contain(made.Hash).And.Contain("did not make"));
        Assert.That(await CountAsync("nondeterministic"), Is.EqualTo(1));
        await _server.Log.WaitForAsync("it is in the log", line => line.Contains("could not be made again", StringComparison.Ordinal), count: 1, default);
    }

    [Test]
    public async Task A_bazel_that_builds_without_the_bytes_does_not_hear_of_a_lost_input()
    {
        // All zeros: so its name is known, although nobody has it but the server.
        string package = $"lost{Guid.NewGuid():n}";
        string folder = Path.Combine(Lab.Workspace.Folder, package);
        Directory.CreateDirectory(folder);
        await File.WriteAllTextAsync(Path.Combine(folder, "BUILD"), $"""
            genrule(name = "input", outs = ["zeros"], cmd = "head -c {OutputBytes} /dev/zero > $@")
            genrule(name = "output", srcs = ["zeros"], outs = ["count"], cmd = "wc -c < $< > $@")
            """);
        var bazel = Lab.Bazel(BazelVersion.V4);
        string[] flags = [$"--remote_executor=grpc://{_server.GrpcAddress}", "--remote_download_minimal", "--incompatible_strict_action_env"];
        try
        {
            (await bazel.RunAsync("build", [.. flags, $"//{package}:input"])).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
            Assert.That(await bazel.HasOutputAsync($"{package}/zeros"), Is.False, "it could be uploaded again");
            Delete(RawBlob.Of(new byte[OutputBytes]));

            (await bazel.RunAsync("build", [.. flags, $"//{package}:output"])).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
            Assert.That(await CountAsync("restored"), Is.EqualTo(1));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            await bazel.CleanAsync();
        }
    }

    [Test]
    public async Task A_server_that_is_killed_while_a_producer_runs_goes_on_after_its_restart()
    {
        string gate = _folder.Combine(Guid.NewGuid().ToString("n"));
        var producer = Producer("a", before: $"until [ -e {gate} ] || [ ! -d {Path.GetDirectoryName(gate)} ]; do sleep 0.05; done");
        await File.WriteAllTextAsync(gate, "");
        var made = await MakeAsync(producer);
        Delete(made);
        File.Delete(gate);
        var blobs = Consumer(made).ToBlobs();
        await _executor.StoreAllAsync(blobs);
        byte[] request = Of((6, RawBlob.Of(blobs[^1]).ToMessage()), (10, true));

        var broken = _executor.TryRunAsync(request);
        await Eventually.TrueAsync(() => "the producer is run again", SeenWithin, async () => await _server.MetricAsync("remoteexec_queue_operations", "state=\"running\"") > 0);
        await _server.KillAsync();
        Assert.CatchAsync<HttpRequestException>(() => broken);
        await File.WriteAllTextAsync(gate, "");
        await _server.RestartAsync();

        // As clients do: what waited is joined, or asked for anew.
        var result = await _executor.RunAsync(request);
        Assert.That((result.Status, result.ExitCode), Is.EqualTo((RawStatus.Ok, 0L)), result.ToString());
    }

    private static RawAction Producer(string letter, string before = "true") => new("/bin/sh", "-c", $"{before}; head -c {OutputBytes} /dev/zero | tr '\\0' {letter} > out")
    {
        Outputs = ["out"], IsCached = true,
    };

    private static RawAction Consumer(RawBlob input) => new("/bin/sh", "-c", "head -c 1 in; wc -c < in") { Inputs = [("in", input, false)] };

    private async Task<(RawBlob One, RawBlob Two, RawBlob Three)> MakeChainAsync()
    {
        var one = await MakeAsync(Producer("a"));
        var two = await MakeAsync(new RawAction("/bin/sh", "-c", "tr a b < in > out") { Inputs = [("in", one, false)], Outputs = ["out"], IsCached = true });
        var three = await MakeAsync(new RawAction("/bin/sh", "-c", "tr b c < in > out") { Inputs = [("in", two, false)], Outputs = ["out"], IsCached = true });
        return (one, two, three);
    }

    private async Task<RawBlob> MakeAsync(RawAction action)
    {
        var result = await _executor.ExecuteAsync(action);
        Assert.That((result.Status, result.ExitCode), Is.EqualTo((RawStatus.Ok, 0L)), result.ToString());
        return result.Outputs["out"];
    }

    private async Task AssertBuildsAsync(string first, RawBlob input)
    {
        var result = await _executor.ExecuteAsync(Consumer(input));
        Assert.That((result.Status, result.ExitCode, result.Stdout.Trim()), Is.EqualTo((RawStatus.Ok, 0L, $"{first}{OutputBytes}")), result.ToString());
    }

    /// <summary>The client hears of the end a moment before it is counted, or after.</summary>
    private async Task<double> CountAsync(string outcome)
    {
        await Eventually.TrueAsync(
            () => $"a try that is {outcome} is counted", SeenWithin, async () => await _server.MetricAsync("remoteexec_rederivations_total", $"outcome=\"{outcome}\"") > 0);
        return await _server.MetricAsync("remoteexec_rederivations_total");
    }

    private void Delete(RawBlob blob)
    {
        string[] files = [.. Directory.EnumerateFiles(Path.Combine(_data, "cas"), "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file).Contains(blob.Hash, StringComparison.Ordinal))];
        Assert.That(files, Is.Not.Empty, "no file of the store has that name");
        foreach (string file in files) File.Delete(file);
    }
}
