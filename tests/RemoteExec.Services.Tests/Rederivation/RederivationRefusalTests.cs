using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

/// <summary>Where lost inputs are not made again the client is told what is missing, as ever.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RederivationRefusalTests : RederivationFixture
{
    [Test]
    public async Task What_was_never_made_here_is_missing_at_once_and_is_not_counted()
    {
        var absent = DigestOf("absent");
        var refusal = await RefusalOf(await StoreActionAsync("needs", ("f", absent)));

        Assert.That(MissingSubjects(refusal), Is.EqualTo(new[] { $"MISSING blobs/{absent}" }));
        Assert.That(IsNothingTold);
    }

    [Test]
    public async Task Beside_one_input_that_nobody_has_made_the_others_are_made_and_only_that_one_is_missing()
    {
        using var worker = await JoinAsync();
        var (made, absent) = (await MadeAsync(worker, "made"), DigestOf("absent"));
        Lossy.Lose(made);

        using var call = Execute(await StoreActionAsync("needs", ("f", absent), ("g", made)));
        await FinishAsync(worker, await worker.ReceiveLeaseAsync(), made);

        await AssertLacksAsync(call, absent);
        var told = await ToldAsync();
        Assert.That((told.Outcome, told.Reason, told.Runs), Is.EqualTo((RederivationOutcome.Refused, $"it is not known what made {absent}", 1)));
    }

    [Test]
    public async Task A_producer_that_makes_something_else_is_the_end_and_is_not_asked_again()
    {
        using var worker = await JoinAsync();
        var (made, other, producer) = (await StoreAsync("made"), await StoreAsync("at another time"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made);
        var consumer = await StoreActionAsync("needs", ("f", made));
        Lossy.Lose(made);

        using (var call = Execute(consumer))
        {
            await RunAsync(worker, producer, other);
            var response = await AssertLacksAsync(call, made);
            Assert.That(response.Message, Is.EqualTo($"lost inputs were not made again: action {producer} ran again and did not make {made} another time"));
        }

        Assert.That((await ToldAsync()).Outcome, Is.EqualTo(RederivationOutcome.Nondeterministic));
        Assert.That(MissingSubjects(await RefusalOf(consumer)), Is.EqualTo(new[] { $"MISSING blobs/{made}" }));
        Assert.That(IsNothingTold);
        // Its new result is as good as the first one was, and is served.
        var cached = await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = producer.ToWire() });
        Assert.That(cached.OutputFiles.Single().Digest, Is.EqualTo(other.ToWire()));
    }

    [Test]
    public async Task A_producer_that_fails_is_the_end()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        await worker.FinishAsync(await LeaseAsync(worker, producer), new ActionResult { ExitCode = 3 });

        await AssertLacksAsync(call, made);
        Assert.That(await ToldAsync(), Is.EqualTo(new RederivedInputs(consumer, RederivationOutcome.Failed, 1, $"action {producer} ran again and ended with exit code 3")));
    }

    [Test]
    public async Task A_producer_whose_own_input_is_gone_for_good_does_not_run()
    {
        using var worker = await JoinAsync();
        var (source, made) = (await StoreAsync("source"), await StoreAsync("made"));
        var producer = await StoreActionAsync("makes", ("f", source));
        await MakeAsync(worker, producer, made);
        Lossy.Lose(made, source);

        Assert.That(MissingSubjects(await RefusalOf(await StoreActionAsync("needs", ("f", made)))), Is.EqualTo(new[] { $"MISSING blobs/{made}" }));
        Assert.That((await ToldAsync()).Reason, Is.EqualTo($"it is not known what made {source}"));
    }

    [Test]
    public async Task A_producer_that_is_gone_itself_does_not_run()
    {
        using var worker = await JoinAsync();
        var (made, producer) = (await StoreAsync("made"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made);
        Lossy.Lose(made, producer);

        Assert.That(MissingSubjects(await RefusalOf(await StoreActionAsync("needs", ("f", made)))), Is.EqualTo(new[] { $"MISSING blobs/{made}" }));
        Assert.That((await ToldAsync()).Reason, Is.EqualTo($"the action that made {made} is gone, too: {producer}"));
    }

    [Test]
    public async Task An_action_that_makes_what_it_reads_is_not_waited_for_by_itself()
    {
        using var worker = await JoinAsync();
        var file = await StoreAsync("file");
        var directory = await StoreAsync(new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } });
        var makesDirectory = await StoreActionAsync("makes the directory");
        await MakeAsync(worker, makesDirectory, directory);
        var root = await StoreAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = directory.ToWire() } } });
        var copies = await StoreActionAsync(action => action.InputRootDigest = root.ToWire());
        await MakeAsync(worker, copies, file);
        Lossy.Lose(directory, file);

        using var call = Execute(await StoreActionAsync("needs", ("other", file)));
        // Only then it can be seen what is in it.
        await RunAsync(worker, makesDirectory, directory);

        await AssertLacksAsync(call, file);
        var told = await ToldAsync();
        Assert.That((told.Outcome, told.Reason), Is.EqualTo((RederivationOutcome.Refused, $"action {copies} would need what it makes")));
    }

    [Test]
    public async Task An_action_that_is_seen_to_make_what_it_reads_does_not_run()
    {
        using var worker = await JoinAsync();
        var file = await StoreAsync("file");
        var copies = await StoreActionAsync("copies", ("f", file));
        await MakeAsync(worker, copies, file);
        Lossy.Lose(file);

        Assert.That(MissingSubjects(await RefusalOf(await StoreActionAsync("needs", ("other", file)))), Is.EqualTo(new[] { $"MISSING blobs/{file}" }));
        Assert.That((await ToldAsync()).Reason, Is.EqualTo($"action {copies} would need what it makes"));
    }

    [TestCase(2, true)]
    [TestCase(1, false)]
    public async Task A_chain_is_followed_as_deep_as_it_may_be(int depthMax, bool isMade)
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { DepthMax = depthMax } });
        using var worker = await JoinAsync();
        var (one, two) = (await StoreAsync("one"), await StoreAsync("two"));
        var (first, second) = (await StoreActionAsync("1"), await StoreActionAsync("2", ("f", one)));
        await MakeAsync(worker, first, one);
        await MakeAsync(worker, second, two);
        var consumer = await StoreActionAsync("needs", ("f", two));
        Lossy.Lose(one, two);

        if (isMade)
        {
            using var call = Execute(consumer);
            await RunAsync(worker, first, one);
            await RunAsync(worker, second, two);
            await RunAsync(worker, consumer, await StoreAsync("end"));
            await AssertSucceedsAsync(call);
        }
        else
        {
            Assert.That(MissingSubjects(await RefusalOf(consumer)), Is.EqualTo(new[] { $"MISSING blobs/{two}" }));
            Assert.That((await ToldAsync()).Reason, Does.Contain("--rederive-depth"));
        }
    }

    [Test]
    public async Task No_more_actions_run_for_one_request_than_may()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { ActionsMax = 1 } });
        using var worker = await JoinAsync();
        Digest[] made = [await MadeAsync(worker, "one"), await MadeAsync(worker, "two")];
        Lossy.Lose(made);

        Assert.That(MissingSubjects(await RefusalOf(await StoreActionAsync("needs", ("f", made[0]), ("g", made[1])))), Has.Count.EqualTo(2));
        Assert.That((await ToldAsync()).Reason, Does.Contain("--rederive-actions"));
    }

    [Test]
    public async Task No_more_actions_run_at_the_same_time_than_may()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { RunningMax = 1 } });
        using var worker = await JoinAsync();
        Digest[] made = [await MadeAsync(worker, "one"), await MadeAsync(worker, "two")];
        var consumer = await StoreActionAsync("needs", ("f", made[0]), ("g", made[1]));
        Lossy.Lose(made);

        using var call = Execute(consumer);
        var lease = await worker.ReceiveLeaseAsync();
        Assert.That(Scheduler.Snapshot().Leased, Is.EqualTo(1));
        // The other one comes meanwhile, and is not made for nothing when it is its turn.
        Lossy.Bring(made);
        await worker.FinishAsync(lease, new ActionResult());
        await AssertGoesOnAsync(worker, consumer, call);
        Assert.That((await ToldAsync()).Runs, Is.EqualTo(1));
    }

    [Test]
    public async Task With_a_depth_of_nothing_nothing_is_made_again()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { DepthMax = 0 } });
        using var worker = await JoinAsync();
        var made = await MadeAsync(worker, "made");
        Lossy.Lose(made);

        Assert.That(MissingSubjects(await RefusalOf(await StoreActionAsync("needs", ("f", made)))), Is.EqualTo(new[] { $"MISSING blobs/{made}" }));
        Assert.That(IsNothingTold);
    }

    [Test]
    public async Task Of_what_another_instance_has_made_nothing_is_known()
    {
        using var worker = await JoinAsync();
        var (made, producer) = (await StoreAsync("made"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made, request => request.InstanceName = "theirs");
        var consumer = await StoreActionAsync("needs", ("f", made));
        Lossy.Lose(made);

        Assert.That(MissingSubjects(await RefusalOf(consumer)), Is.EqualTo(new[] { $"MISSING blobs/{made}" }));
        Assert.That(IsNothingTold);
    }

    [Test]
    public async Task What_a_client_says_of_an_action_is_not_learnt()
    {
        var (claimed, action) = (await StoreAsync("claimed"), await StoreActionAsync("never ran"));
        await ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest { ActionDigest = action.ToWire(), ActionResult = ResultOf(claimed) });

        Assert.That(Producers.Find(InstanceName.Empty, claimed), Is.Null);
    }

    [TestCase(true, 0)]
    [TestCase(false, 1)]
    public async Task From_what_is_not_cached_nothing_is_learnt(bool doNotCache, int exitCode)
    {
        using var worker = await JoinAsync();
        var made = await StoreAsync("made");
        var action = await StoreActionAsync(change => change.DoNotCache = doNotCache);
        using var call = Execute(action);
        var result = ResultOf(made);
        result.ExitCode = exitCode;
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), result);
        await LastAsync(call);

        Assert.That(Producers.Find(InstanceName.Empty, made), Is.Null);
    }

    /// <summary>Made by an action of its own.</summary>
    private async Task<Digest> MadeAsync(ScriptedWorker worker, string content)
    {
        var made = await StoreAsync(content);
        await MakeAsync(worker, await StoreActionAsync($"makes {content}"), made);
        return made;
    }
}
