using Microsoft.Extensions.Logging;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Scheduling;
using RemoteExec.Services;
using RemoteExec.Testing;

namespace RemoteExec.Observability.Tests;

/// <summary>The log has a line for what an operator looks for, and none for what is ordinary.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class ServerEventsTests
{
    private readonly ManualTime _time = new();
    private readonly Lines _lines = new();

    [TestCase(WorkerState.Joining, WorkerState.Ready, "Information worker_joined worker w1 joined pool gpu with 3 slots, version 1.2.3")]
    [TestCase(WorkerState.Ready, WorkerState.Ready, "Information worker_joined worker w1 joined")]
    [TestCase(WorkerState.Quarantined, WorkerState.Quarantined, "Information worker_joined worker w1 joined")]
    [TestCase(WorkerState.Ready, WorkerState.Draining, "Information worker_draining worker w1 of pool gpu")]
    [TestCase(WorkerState.Draining, WorkerState.Gone, "Information worker_left worker w1 of pool gpu")]
    [TestCase(WorkerState.Ready, WorkerState.Joining, "Warning worker_cut_off the connection of worker w1")]
    [TestCase(WorkerState.Joining, WorkerState.Gone, "Warning worker_lost worker w1 of pool gpu")]
    [TestCase(WorkerState.Ready, WorkerState.Gone, "Warning worker_lost worker w1 of pool gpu")]
    [TestCase(WorkerState.Ready, WorkerState.Quarantined, "Warning worker_quarantined worker w1 of pool gpu")]
    [TestCase(WorkerState.Quarantined, WorkerState.Ready, "Information worker_recovered worker w1 of pool gpu")]
    public void A_worker_that_comes_goes_or_is_kept_from_work_is_a_line(WorkerState from, WorkerState to, string line)
    {
        Events.WorkerMoved(new WorkerMove(new WorkerDescription { Id = "w1", Pool = "gpu", Slots = 3, Version = "1.2.3" }, from, to));

        Assert.That(_lines.All.Single(), Does.StartWith(line));
    }

    [TestCase(OutcomeCode.FailedPrecondition, "Information action_refused execution")]
    [TestCase(OutcomeCode.InvalidArgument, "Information action_refused execution")]
    [TestCase(OutcomeCode.Cancelled, "Information action_cancelled execution")]
    [TestCase(OutcomeCode.Unavailable, "Warning action_failed execution")]
    [TestCase(OutcomeCode.Internal, "Warning action_failed execution")]
    public void An_action_that_did_not_run_to_its_end_is_a_line_with_its_reason(OutcomeCode code, string line)
    {
        Events.Ended(Ended(code, exitCode: null));

        Assert.That(_lines.All.Single(), Does.StartWith(line).And.EndWith("the reason"));
    }

    [TestCase(OutcomeCode.Ok, 0)]
    [TestCase(OutcomeCode.Ok, 1)]
    [TestCase(OutcomeCode.DeadlineExceeded, null)]
    public void A_command_that_ran_is_no_news(OutcomeCode code, int? exitCode)
    {
        Events.Ended(Ended(code, exitCode));

        Assert.That(_lines.All, Is.Empty);
    }

    [Test]
    public void A_client_that_was_lost_is_one_line_however_much_it_waits_for()
    {
        var events = Events;
        foreach (string invocation in (string[])["one", "one", "two", "", ""]) events.ClientLost(Operation(invocation), TimeSpan.FromSeconds(60));
        _time.Advance(TimeSpan.FromMinutes(1));
        events.ClientLost(Operation("one"), TimeSpan.FromSeconds(60));

        Assert.That(_lines.All.Select(line => line[..line.IndexOf(" was lost", StringComparison.Ordinal)]), Is.EqualTo(new[]
        {
            "Information client_lost the connection to bazel one", "Information client_lost the connection to bazel two",
            "Information client_lost the connection to bazel", "Information client_lost the connection to bazel",
            "Information client_lost the connection to bazel one",
        }));
        Assert.That(_lines.All, Has.All.Contain("60 s"));
    }

    [Test]
    public void A_full_store_says_so_at_once_and_then_once_a_minute_with_how_often()
    {
        var events = Events;

        events.StoreRefused();
        for (int i = 0; i < 1000; i++) events.StoreRefused();
        _time.Advance(TimeSpan.FromMinutes(1));
        events.StoreRefused();

        Assert.That(_lines.All.Select(line => line[..line.IndexOf(" found no room", StringComparison.Ordinal)]),
            Is.EqualTo(new[] { "Warning store_refusing 1 uploads", "Warning store_refusing 1001 uploads" }));
        Assert.That(_lines.All, Has.All.Contain("--max-cas-size").And.All.Contain("--retention"));
    }

    [TestCase(RederivationOutcome.Restored, "Information inputs_restored")]
    [TestCase(RederivationOutcome.Nondeterministic, "Warning inputs_not_restored")]
    [TestCase(RederivationOutcome.Failed, "Warning inputs_not_restored")]
    [TestCase(RederivationOutcome.Refused, null)] // the client is told, and nothing has run
    public void Lost_inputs_that_were_made_again_or_could_not_be_are_a_line(RederivationOutcome outcome, string? line)
    {
        Events.Rederived(new RederivedInputs(Digest.Empty(DigestFunction.Sha256), outcome, Runs: 3, "it made something else"));

        if (line is null) Assert.That(_lines.All, Is.Empty);
        else Assert.That(_lines.All.Single(), Does.StartWith(line).And.Contains(outcome == RederivationOutcome.Restored ? "3 actions" : "it made something else"));
    }

    private ServerEvents Events => new(_lines, _time);

    private OperationSnapshot Operation(string invocation) => new()
    {
        Name = "operations/1",
        Execution = new ExecutionId(1),
        Request = new ExecutionRequest
        {
            Instance = InstanceName.Empty,
            Action = Digest.Of(DigestFunction.Sha256, "action"u8),
            Origin = new RequestOrigin { ToolName = "bazel", ToolInvocationId = invocation },
        },
        Stage = OperationStage.Executing,
        CreatedAt = _time.GetUtcNow(),
        QueuedAt = _time.GetUtcNow(),
    };

    private CompletedExecution Ended(OutcomeCode code, int? exitCode)
    {
        var request = new ExecutionRequest { Instance = InstanceName.Empty, Action = Digest.Of(DigestFunction.Sha256, "action"u8) };
        var now = _time.GetUtcNow();
        return new CompletedExecution(
            new ExecutionId(1), request, new ExecutionOutcome { Code = code, Message = "the reason", ExitCode = exitCode }, 1, "w1", "gpu", now, now, now, now);
    }

    private sealed class Lines : ILogger
    {
        public List<string> All { get; } = [];

        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            All.Add($"{logLevel} {eventId.Name} {formatter(state, exception)}");
    }
}
