using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// The first remote build of a newcomer: a cold one, <c>clean</c>, and the same again. The builds are
/// made once; each test looks at one side of them.
/// </summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class WholeWorkspaceTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    private const int ManyInputs = 2000;
    private const int BigBytes = 64 << 20;

    private Task<Journey>? _journey;

    [Test]
    public async Task Everything_is_built_and_tested_at_the_server()
    {
        var cold = (await JourneyAsync()).Cold;

        cold.ShouldHaveRunRemotely().ShouldSay("Executed 9 out of 9 tests: 9 tests pass.");
        Assert.Multiple(() =>
        {
            Assert.That(cold.Processes.Remote, Is.GreaterThan(100), () => cold.Explanation);
            Assert.That(cold.Processes.RemoteCacheHits, Is.Zero, () => cold.Explanation);
        });
    }

    [Test]
    public async Task Outputs_are_byte_identical_to_those_of_a_local_build()
    {
        var journey = await JourneyAsync();
        journey.ColdOutputs.ShouldEqual(await Lab.LocalOutputsAsync(Version));
    }

    [Test]
    public async Task A_second_build_after_clean_is_all_cache_hits()
    {
        var (cold, _, warm, _) = await JourneyAsync();

        warm.ShouldHaveRunRemotely();
        Assert.Multiple(() =>
        {
            Assert.That(warm.Processes.RemoteCacheHits, Is.EqualTo(cold.Processes.Remote), () => warm.Explanation);
            Assert.That(warm.Processes.Remote, Is.Zero, () => warm.Explanation);
        });
    }

    [Test]
    public async Task Cache_hits_bring_the_same_bytes_as_the_execution_did()
    {
        var journey = await JourneyAsync();
        journey.WarmOutputs.ShouldEqual(journey.ColdOutputs);
    }

    [Test]
    public async Task Tree_artifacts_come_back_with_empty_files_deep_files_and_links()
    {
        var outputs = (await JourneyAsync()).ColdOutputs;

        Assert.Multiple(() =>
        {
            Assert.That(outputs["tree/small/a/nothing"], Is.Not.EqualTo("absent"));
            Assert.That(outputs["tree/small/a/b/c/deep.txt"], Is.Not.EqualTo("absent"));
            Assert.That(outputs["tree/wide/many/1/f59.txt"], Is.Not.EqualTo("absent"));
            Assert.That(outputs["tree/with_symlink/a/link.txt"], Is.EqualTo("-> ../top.txt"));
        });
    }

    [Test]
    public async Task An_output_that_is_a_symlink_comes_back_as_one()
    {
        var outputs = (await JourneyAsync()).ColdOutputs;

        Assert.Multiple(() =>
        {
            Assert.That(outputs["links/pair.link"], Is.EqualTo("-> pair.real"));
            Assert.That(outputs["links/read_linked.txt"], Is.EqualTo(outputs["links/read_pair.txt"]));
        });
    }

    [Test]
    public async Task An_action_sees_all_of_its_two_thousand_inputs()
    {
        await JourneyAsync();
        string[] lines = (await Bazel.ReadOutputAsync("many/sum.txt")).TrimEnd().Split('\n');

        Assert.That(lines[^1], Is.EqualTo($"{ManyInputs}"));
    }

    [Test]
    public async Task An_output_of_64_MiB_arrives_whole_at_the_client_and_at_its_consumer()
    {
        var outputs = (await JourneyAsync()).ColdOutputs;
        string[] seenByConsumer = (await Bazel.ReadOutputAsync("big/digests.txt")).TrimEnd().Split('\n');

        Assert.That(seenByConsumer, Is.EqualTo(new[]
        {
            $"{outputs["big/noise.bin"]}  -", $"{BigBytes}", $"{outputs["big/zeros.bin"]}  -", $"{BigBytes}",
        }));
    }

    private Task<Journey> JourneyAsync() => _journey ??= MakeJourneyAsync();

    private async Task<Journey> MakeJourneyAsync()
    {
        await Lab.LocalOutputsAsync(Version); // before: the outputs of the warm build are to stay
        await Bazel.CleanAsync();
        var cold = (await TestAsync(Everything(Version))).ShouldExitWith(BazelResult.Success);
        var coldOutputs = await Bazel.HashOutputsAsync();

        await Bazel.CleanAsync();
        var warm = (await TestAsync(Everything(Version))).ShouldExitWith(BazelResult.Success);
        return new Journey(cold, coldOutputs, warm, await Bazel.HashOutputsAsync());
    }

    private sealed record Journey(
        BazelResult Cold,
        OutputHashes ColdOutputs,
        BazelResult Warm,
        OutputHashes WarmOutputs);
}
