using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>
/// A stream of Execute or WaitExecution ends with a finished operation or with an error status, never otherwise, whatever ends it. The
/// server's own ways to end are in the tests of the server.
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class StreamEndTests : ServicesFixture
{
    private readonly BreakableJournal _journal = new();

    protected override IOperationJournal Journal => _journal;

    // Each way to end, and the code that streams end with; OK is the one that wants a finished operation before it.
    private static IEnumerable<TestCaseData> Ends()
    {
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Drained), StatusCode.Unavailable).SetArgDisplayNames("a drain");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Disposed), StatusCode.Unavailable).SetArgDisplayNames("the scheduler's disposal");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Stopped), StatusCode.Unavailable).SetArgDisplayNames("the port's end");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(WithoutJournal), StatusCode.Unavailable).SetArgDisplayNames("a journal that fails");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Cancelled), StatusCode.OK).SetArgDisplayNames("a cancellation");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Deleted), StatusCode.OK).SetArgDisplayNames("a deletion right behind the end");
        yield return new TestCaseData(new Func<StreamEndTests, string, Task>(Forgotten), StatusCode.OK).SetArgDisplayNames("a retention that is over right behind the end");
    }

    [TestCaseSource(nameof(Ends))]
    public async Task F17_every_end_is_a_finished_operation_or_an_error(object end, StatusCode expected)
    {
        using var execute = Execution.Execute(new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() }, cancellationToken: Soon);
        Assert.That(await execute.ResponseStream.MoveNext(Soon));
        string name = execute.ResponseStream.Current.Name;
        using var wait = Execution.WaitExecution(new WaitExecutionRequest { Name = name }, cancellationToken: Soon);
        Assert.That(await wait.ResponseStream.MoveNext(Soon));
        var ends = new[] { EndOfAsync(execute), EndOfAsync(wait) };

        await ((Func<StreamEndTests, string, Task>)end)(this, name);

        foreach (var (isDone, failure) in await Task.WhenAll(ends))
        {
            Assert.That(isDone, Is.EqualTo(failure is null), "an end is one of the two");
            Assert.That(failure?.StatusCode ?? StatusCode.OK, Is.EqualTo(expected), () => $"{failure}");
        }
    }

    [Test]
    public async Task F17_a_drain_says_when_to_come_back_and_so_does_what_is_asked_after_it()
    {
        using var execute = Execution.Execute(new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() }, cancellationToken: Soon);
        Assert.That(await execute.ResponseStream.MoveNext(Soon));
        await Drained(this, "");
        using var late = Execution.WaitExecution(new WaitExecutionRequest { Name = execute.ResponseStream.Current.Name }, cancellationToken: Soon);

        foreach (var call in new[] { execute, late })
        {
            var (_, failure) = await EndOfAsync(call);
            var retry = failure!.ToStatus().Details.Single().Unpack<RetryInfo>();
            Assert.That((failure!.StatusCode, retry.RetryDelay.ToTimeSpan()), Is.EqualTo((StatusCode.Unavailable, TimeSpan.FromSeconds(1))));
        }
    }

    [Test]
    public async Task F17_a_feed_that_breaks_in_a_way_that_nobody_thought_of_is_an_error()
    {
        // Nothing can be waited for so long: what reads the feed throws behind the first state.
        await RestartAsync(Options with { BeatInterval = TimeSpan.FromMinutes(-1) });
        using var execute = Execution.Execute(new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() }, cancellationToken: Soon);
        Assert.That(await execute.ResponseStream.MoveNext(Soon));
        using var wait = Execution.WaitExecution(new WaitExecutionRequest { Name = execute.ResponseStream.Current.Name }, cancellationToken: Soon);

        foreach (var call in new[] { execute, wait })
        {
            var (isDone, failure) = await EndOfAsync(call);
            Assert.That((isDone, failure?.StatusCode), Is.EqualTo((false, StatusCode.Internal)));
        }
    }

    private static Task Drained(StreamEndTests test, string name)
    {
        test.Scheduler.BeginDrain();
        test.Scheduler.EndFeeds();
        return Task.CompletedTask;
    }

    private static Task Disposed(StreamEndTests test, string name) => test.Scheduler.DisposeAsync().AsTask();

    private static Task Stopped(StreamEndTests test, string name) => test.StopPortAsync().AsTask();

    private static async Task WithoutJournal(StreamEndTests test, string name)
    {
        test._journal.Break();
        // Whatever is written next.
        await CodeOf(async () => await test.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, cancellationToken: test.Soon));
    }

    private static async Task Cancelled(StreamEndTests test, string name) =>
        await test.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, cancellationToken: test.Soon);

    private static async Task Deleted(StreamEndTests test, string name)
    {
        await Cancelled(test, name);
        await test.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name }, cancellationToken: test.Soon);
    }

    private static async Task Forgotten(StreamEndTests test, string name)
    {
        await Cancelled(test, name);
        test.Time.Advance(test.Scheduler.Options.FinishedRetention + TimeSpan.FromSeconds(1));
        Assert.That(
            await CodeOf(async () => await test.Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name }, cancellationToken: test.Soon)),
            Is.EqualTo(StatusCode.NotFound), "it is forgotten");
    }

    private async Task<(bool IsDone, RpcException? Failure)> EndOfAsync(AsyncServerStreamingCall<Operation> call)
    {
        bool isDone = false;
        try
        {
            while (await call.ResponseStream.MoveNext(Soon)) isDone = call.ResponseStream.Current.Done;
            return (isDone, null);
        }
        catch (RpcException failure)
        {
            return (isDone, failure);
        }
    }
}
