using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using System.Collections.Concurrent;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class WorkerLoopTests
{
    private readonly ScriptedCoordinator _coordinator = new();
    private readonly CancellationTokenSource _drain = new();

    // One promise per attempt: the test decides when and how it ends.
    private readonly ConcurrentDictionary<string, TaskCompletionSource<LeaseFinished>> _attempts = new();
    private Task _running = Task.CompletedTask;
    private Remains? _remains;

    [SetUp]
    public void Start()
    {
        var hello = new Hello { WorkerId = "w", Slots = 2 };
        var loop = new WorkerLoop(hello, _coordinator, RunAttemptAsync, TimeSpan.FromHours(1), TimeProvider.System, new Random(1), NullLogger.Instance);
        _running = loop.RunAsync(_drain.Token);
    }

    [Test]
    public async Task A_lease_is_started_finished_and_forgotten_once_acknowledged()
    {
        var (stream, hello) = await _coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.Empty);

        await stream.LeaseAsync(Id("e"));
        Assert.That((await stream.NextAsync()).LeaseStarted.Lease, Is.EqualTo(Id("e")));
        Finish("e");
        Assert.That((await stream.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("e")));
        await stream.AcknowledgeAsync(Id("e"));

        stream.Complete(Lost());
        var (next, again) = await _coordinator.WelcomeAsync();
        Assert.That(again.Running, Is.Empty);
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_running_lease_survives_a_reconnect_and_reports_on_the_new_stream()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();

        stream.Complete(Lost());
        var (next, hello) = await _coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.EqualTo([Id("e")]));

        Finish("e");
        Assert.That((await next.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("e")));
        await next.AcknowledgeAsync(Id("e"));
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_report_is_sent_again_on_every_stream_until_it_is_acknowledged()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();
        Finish("e");
        await stream.NextAsync(); // received, and lost before it was acknowledged

        for (int i = 0; i < 3; i++)
        {
            stream.Complete(Lost());
            (stream, var hello) = await _coordinator.WelcomeAsync();
            Assert.That(hello.Running, Is.EqualTo([Id("e")]));
            Assert.That((await stream.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("e")));
        }
        await stream.AcknowledgeAsync(Id("e"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_cancelled_lease_reports_nothing()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("gone"));
        await stream.NextAsync();
        await stream.CancelAsync(Id("gone"));

        await stream.LeaseAsync(Id("next"));
        Assert.That((await stream.NextAsync()).LeaseStarted.Lease, Is.EqualTo(Id("next")));
        Finish("next");
        Assert.That((await stream.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("next")));
        await stream.AcknowledgeAsync(Id("next"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task Stale_news_changes_nothing()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.CancelAsync(Id("unknown"));
        await stream.AcknowledgeAsync(Id("unknown"));
        await stream.LeaseAsync(Id("e", 2));
        await stream.NextAsync();
        await stream.CancelAsync(Id("e", 1));
        await stream.AcknowledgeAsync(Id("e", 2)); // it has not finished: nothing to acknowledge

        Finish("e");
        Assert.That((await stream.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("e", 2)));
        await stream.AcknowledgeAsync(Id("e", 2));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_lease_sent_twice_runs_once()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();
        await stream.LeaseAsync(Id("e"));
        Finish("e");

        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.LeaseFinished));
        await stream.AcknowledgeAsync(Id("e"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_crash_of_the_runner_is_reported_as_internal()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();
        _attempts["e"].SetException(new InvalidOperationException("a mistake"));

        var report = (await stream.NextAsync()).LeaseFinished;
        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.Internal));
        Assert.That(report.Status.Message, Does.Contain("a mistake"));
        await stream.AcknowledgeAsync(Id("e"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_drain_lets_running_leases_finish()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();

        await _drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Finish("e");
        Assert.That((await stream.NextAsync()).LeaseFinished.Lease, Is.EqualTo(Id("e")));
        await stream.AcknowledgeAsync(Id("e"));
        stream.Complete();
        await _running;
    }

    [Test]
    public async Task A_worker_leaves_only_when_what_its_attempts_left_is_cleaned_up()
    {
        _remains = new Remains();
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();
        Finish("e");
        await stream.NextAsync();
        await _remains.Begun.Task;
        await stream.AcknowledgeAsync(Id("e"));
        await _drain.CancelAsync();
        await stream.NextAsync();
        var leaving = LeaveAsync();
        stream.Complete();
        Assert.That(await stream.MoveNext(CancellationToken.None), Is.False, "the connection is still open");
        // Every chance to leave too early; a worker that waits is not hurried by it.
        for (int i = 0; i < 1000 && !leaving.IsCompleted; i++) await Task.Yield();
        _remains.End.SetResult();
        Assert.That(await leaving, Is.True, "it left while a work directory was given back");

        async Task<bool> LeaveAsync()
        {
            await _running;
            return _remains.End.Task.IsCompleted;
        }
    }

    [Test]
    public async Task A_drain_with_a_lost_coordinator_asks_the_next_stream_too()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e"));
        await stream.NextAsync();
        await _drain.CancelAsync();
        await stream.NextAsync();
        stream.Complete(Lost());

        var (next, hello) = await _coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.EqualTo([Id("e")]));
        Assert.That((await next.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Finish("e");
        await next.NextAsync();
        await next.AcknowledgeAsync(Id("e"));
        next.Complete();
        await _running;
    }

    [Test]
    public async Task An_orderly_end_without_a_drain_means_reconnect()
    {
        var (stream, _) = await _coordinator.WelcomeAsync();
        stream.Complete();
        var (next, _) = await _coordinator.WelcomeAsync();
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_refusal_for_good_ends_the_worker()
    {
        var stream = await _coordinator.NextStreamAsync();
        stream.Complete(new RpcException(new Status(StatusCode.InvalidArgument, "slots must be positive")));

        Assert.That(async () => await _running, Throws.InstanceOf<RpcException>());
    }

    private async ValueTask<FinishedAttempt> RunAttemptAsync(
        Lease lease, ILeaseReporter reporter, CancellationToken cancellationToken)
    {
        var attempt = _attempts.GetOrAdd(
            lease.Lease_.ExecutionId, _ => new TaskCompletionSource<LeaseFinished>(TaskCreationOptions.RunContinuationsAsynchronously));
        await reporter.StartedAsync(cancellationToken);
        var report = await attempt.Task.WaitAsync(cancellationToken);
        report.Lease = lease.Lease_;
        return new FinishedAttempt(report, _remains);
    }

    private void Finish(string execution) => _attempts[execution].SetResult(new LeaseFinished { Status = new RpcStatus() });

    private async Task LeaveAsync(InMemoryCoordinatorStream stream)
    {
        await _drain.CancelAsync();
        while (await stream.MoveNext(CancellationToken.None) && stream.Current.MessageCase != WorkerMessage.MessageOneofCase.DrainRequested)
        {
        }
        stream.Complete();
        await _running;
    }

    /// <summary>A work directory that takes its time to be given back.</summary>
    private sealed class Remains : IAsyncDisposable
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask DisposeAsync()
        {
            Begun.SetResult();
            await End.Task;
        }
    }
}
