using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Rpc;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>Producers that get in each other's way, and what goes wrong only for now.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RederivationTroubleTests : RederivationFixture
{
    [Test]
    public async Task Who_reports_a_loss_that_is_mended_already_gets_another_try()
    {
        using var worker = await JoinAsync();
        var (made, _, consumer) = await MakeAsync(worker);

        using var call = Execute(consumer);
        await LackAsync(worker, await LeaseAsync(worker, consumer), made);

        await AssertGoesOnAsync(worker, consumer, call);
    }

    [Test]
    public async Task A_re_run_that_lacks_inputs_in_turn_is_not_held_and_what_it_lacks_is_made_with_a_single_place()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { RunningMax = 1 } });
        using var worker = await JoinAsync();
        var (first, second, source, made) = await MakeTwoAsync(worker);
        var consumer = await StoreActionAsync("needs", ("f", made));
        Lossy.Lose(made);

        using var call = Execute(consumer);
        var lease = await LeaseAsync(worker, second);
        Lossy.Lose(source);
        await LackAsync(worker, lease, source);
        await RunAsync(worker, first, source);
        await RunAsync(worker, second, made);

        await AssertGoesOnAsync(worker, consumer, call);
        // One request, with one set of bounds.
        await AssertRestoredAsync(consumer, runs: 3);
        Assert.That(IsNothingTold);
    }

    [Test]
    public async Task A_re_run_that_a_client_has_joined_keeps_no_place_while_it_is_held()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { RunningMax = 1 } });
        using var worker = await JoinAsync();
        var (first, second, source, made) = await MakeTwoAsync(worker);
        var consumer = await StoreActionAsync("needs", ("f", made));
        Lossy.Lose(made);

        using var call = Execute(consumer);
        var lease = await LeaseAsync(worker, second);
        using var joined = Execute(second);
        await NextAsync(joined);
        Lossy.Lose(source);
        await LackAsync(worker, lease, source);
        await RunAsync(worker, first, source);
        await RunAsync(worker, second, made);
        await AssertSucceedsAsync(joined);

        await AssertGoesOnAsync(worker, consumer, call);
    }

    [Test]
    public async Task What_was_copied_since_is_made_by_what_made_it_first()
    {
        using var worker = await JoinAsync();
        var (made, producer) = (await StoreAsync("made"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made);
        await MakeAsync(worker, await StoreActionAsync("copies", ("f", made)), made);
        await MakeAsync(worker, await StoreActionAsync("copies elsewhere", ("g", made)), made);
        var consumer = await StoreActionAsync("needs", ("h", made));
        Lossy.Lose(made);

        using var call = Execute(consumer);
        await RunAsync(worker, producer, made);

        await AssertGoesOnAsync(worker, consumer, call);
        await AssertRestoredAsync(consumer, runs: 1);
    }

    // What needs all that was made before it: there are 2^n ways through it, and the longest is as long as it has actions.
    [Test]
    public async Task A_chain_is_as_long_as_its_longest_way_in_whichever_order_it_is_met([Values(2, 3)] int depthMax, [Values] bool isDescending)
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { DepthMax = depthMax } });
        using var worker = await JoinAsync();
        var made = await MakeDenseChainAsync(3, isDescending);
        var consumer = await StoreActionAsync("needs", [.. made]);
        Lossy.Lose([.. made.Select(input => input.Content)]);

        if (depthMax < made.Count)
        {
            Assert.That(MissingSubjects(await RefusalOf(consumer)), Has.Count.EqualTo(made.Count));
            Assert.That((await ToldAsync()).Reason, Does.Contain("--rederive-depth"));
            return;
        }

        using var call = Execute(consumer);
        foreach (var (_, output) in made) await FinishAsync(worker, await worker.ReceiveLeaseAsync(), output);
        await AssertGoesOnAsync(worker, consumer, call);
    }

    [Test]
    public async Task Sixty_actions_that_need_all_earlier_ones_are_looked_at_once_each()
    {
        await RestartAsync(Options with { Rederivation = new RederivationOptions { DepthMax = 64 } });
        using var worker = await JoinAsync();
        var made = await MakeDenseChainAsync(60, isDescending: false);
        Lossy.Lose([.. made.Select(input => input.Content)]);

        using var call = Execute(await StoreActionAsync("needs", [.. made]));
        var lease = await worker.ReceiveLeaseAsync();
        Assert.That(Producers.Find(InstanceName.Empty, made[0].Content)?.ToWire(), Is.EqualTo(lease.ActionDigest));
    }

    [Test]
    public async Task What_cannot_be_looked_at_for_now_is_not_said_to_be_missing()
    {
        using var worker = await JoinAsync();
        var (source, made) = (await StoreAsync("source"), await StoreAsync("made"));
        await MakeAsync(worker, await StoreActionAsync("makes", ("f", source)), made);
        Lossy.Lose(made);
        Lossy.Obstruct(source, RpcErrors.Exhausted("the store is busy"));

        var refusal = await RefusalOf(await StoreActionAsync("needs", ("f", made)));

        Assert.That((refusal.StatusCode, refusal.Status.Detail), Is.EqualTo((StatusCode.Unavailable, $"lost inputs are not made again for now: the action that made {made} cannot be run: the store is busy")));
        Assert.That(RetryDelayOf(refusal.ToStatus()), Is.Not.Null);
    }

    [Test]
    public async Task Whose_producer_is_cancelled_by_somebody_may_ask_again()
    {
        using var worker = await JoinAsync();
        var (_, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        await LeaseAsync(worker, producer);
        var rerun = Scheduler.List().Single(operation => operation.Request.IsRerun);
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = rerun.Name }, cancellationToken: Soon);

        var status = ResponseOf(await LastAsync(call)).Status;
        Assert.That((StatusCode)status.Code, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(RetryDelayOf(status), Is.Not.Null);
    }

    [Test]
    public async Task Whoever_waits_is_told_of_a_fault_in_what_makes_its_inputs()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        var lease = await LeaseAsync(worker, producer);
        // No store says so: nobody is prepared for it.
        Lossy.Obstruct(made, new SchedulingException(OutcomeCode.Internal, "a bug"));
        await worker.FinishAsync(lease, new ActionResult { ExitCode = 1 });

        var status = ResponseOf(await LastAsync(call)).Status;
        Assert.That((StatusCode)status.Code, Is.EqualTo(StatusCode.Internal));
        Assert.That(status.Message, Does.Contain("a bug"));
    }

    /// <summary>Each made by an action that needs all the earlier ones, which are named in this order or the other.</summary>
    private async Task<List<(string Name, Digest Content)>> MakeDenseChainAsync(int count, bool isDescending)
    {
        var made = new List<(string Name, Digest Content)>();
        for (int i = 0; i < count; i++)
        {
            var output = await StoreAsync($"made {i}");
            // As if they had run here.
            Producers.Learn(InstanceName.Empty, await StoreActionAsync($"makes {i}", [.. made]), [output]);
            made.Add(($"{(isDescending ? 1000 - i : i):0000}", output));
        }

        return made;
    }

    private static RetryInfo? RetryDelayOf(RpcStatus status) => status.Details.Select(detail => detail.TryUnpack(out RetryInfo retry) ? retry : null).SingleOrDefault();
}
