using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The tables of states and events, written out once more and made to happen cell by cell.</summary>
[TestFixture]
internal sealed class StateTableTests : QueueFixture
{
    private const string Executions = """
                  Queued     Leased     Running    Completed
        Lease     Leased     -          -          -
        Start     -          Running    Running    -
        Finish    -          Completed  Completed  -
        Lose      -          Queued     Queued     -
        GiveUp    -          Completed  Completed  -
        Cancel    Completed  Completed  Completed  -
        Refuse    Completed  -          -          -
        """;

    private const string Workers = """
                    Joining    Ready        Draining   Quarantined  Gone
        Join        Ready      Ready        Ready      Quarantined  -
        Disconnect  -          Joining      Joining    Joining      -
        Drain       -          Draining     Draining   Draining     -
        Trip        -          Quarantined  -          Quarantined  -
        Succeed     -          Ready        Draining   Ready        -
        Lose        Gone       Gone         Gone       Gone         -
        """;

    private Operation _operation = null!;
    private long _session;

    [TestCaseSource(nameof(ExecutionCells))]
    public void An_execution_moves_by_its_table(string @event, string state, string expected)
    {
        // One loss is one too many only where the last attempt is what the row is about.
        Options = Options with { AttemptsMax = @event == nameof(ExecutionEvent.GiveUp) ? 1 : 5 };
        NewQueue();
        var from = Enum.Parse<ExecutionState>(state);
        BringExecutionTo(from);
        Queue.TakeTransitions();

        Happen(Enum.Parse<ExecutionEvent>(@event), from);

        Assert.That(_operation.Execution.State, Is.EqualTo(expected == "-" ? from : Enum.Parse<ExecutionState>(expected)));
        if (expected == "-")
        {
            Assert.That(
                Queue.TakeTransitions().Records, Is.Empty, "stale news leaves no trace in the journal");
        }
    }

    [TestCaseSource(nameof(ExecutionCells))]
    public void The_table_of_executions_is_the_documented_one(string @event, string state, string expected) =>
        Assert.That(
            ExecutionTable.Next(Enum.Parse<ExecutionState>(state), Enum.Parse<ExecutionEvent>(@event))?.ToString() ?? "-",
            Is.EqualTo(expected));

    [TestCaseSource(nameof(WorkerCells))]
    public void A_worker_moves_by_its_table(string @event, string state, string expected)
    {
        Options = Options with { QuarantineAfter = 1, ReconnectBackoffMax = TimeSpan.FromSeconds(1) };
        NewQueue();
        var from = Enum.Parse<WorkerState>(state);
        BringWorkerTo(from);

        Happen(Enum.Parse<WorkerEvent>(@event), from);

        var to = expected == "-" ? from : Enum.Parse<WorkerState>(expected);
        var worker = Queue.Snapshot(Now).Workers.SingleOrDefault(worker => worker.Description.Id == "w1");
        Assert.That(worker?.State ?? WorkerState.Gone, Is.EqualTo(to));
    }

    [TestCaseSource(nameof(WorkerCells))]
    public void The_table_of_workers_is_the_documented_one(string @event, string state, string expected) =>
        Assert.That(
            WorkerTable.Next(Enum.Parse<WorkerState>(state), Enum.Parse<WorkerEvent>(@event))?.ToString() ?? "-",
            Is.EqualTo(expected));

    [Test]
    public void Every_state_and_event_has_its_cell()
    {
        Assert.That(ExecutionCells().Count(), Is.EqualTo(
            Enum.GetValues<ExecutionState>().Length * Enum.GetValues<ExecutionEvent>().Length));
        Assert.That(WorkerCells().Count(), Is.EqualTo(
            Enum.GetValues<WorkerState>().Length * Enum.GetValues<WorkerEvent>().Length));
    }

    private static IEnumerable<string[]> ExecutionCells() => Cells(Executions);

    private static IEnumerable<string[]> WorkerCells() => Cells(Workers);

    private static IEnumerable<string[]> Cells(string table)
    {
        var lines = table.Split('\n').Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)).ToArray();
        foreach (var line in lines.Skip(1))
        {
            for (int column = 0; column < lines[0].Length; column++) yield return [line[0], lines[0][column], line[column + 1]];
        }
    }

    private LeaseId CurrentLease => _operation.Execution.LeaseId;

    private void BringExecutionTo(ExecutionState state)
    {
        _operation = Submit(Build.Request(1, "Pool=a"));
        if (state == ExecutionState.Queued)
        {
            // Somebody is there, but not for this one.
            _session = Join(Build.Worker("w1") with { Pool = "b" });
            return;
        }

        _session = Join(Build.Worker("w1") with { Pool = "a" });
        if (state == ExecutionState.Leased) return;
        Queue.Started("w1", _session, CurrentLease, waited: TimeSpan.Zero, Now);
        if (state == ExecutionState.Running) return;
        Queue.Report("w1", CurrentLease, Build.Ok(), Now);
        PublishEnded();
    }

    private void Happen(ExecutionEvent @event, ExecutionState from)
    {
        switch (@event)
        {
            case ExecutionEvent.Lease:
                Join(Build.Worker("w2") with { Pool = "a" });
                break;
            case ExecutionEvent.Start:
                Queue.Started("w1", _session, CurrentLease, waited: TimeSpan.Zero, Now);
                break;
            case ExecutionEvent.Finish:
                Queue.Report("w1", CurrentLease, Build.Ok(), Now);
                break;
            case ExecutionEvent.Lose:
                // Leaving, so that it is not the next holder at once.
                Queue.Drain("w1", _session, Now);
                Queue.Report("w1", CurrentLease, Build.Broken(), Now);
                break;
            case ExecutionEvent.GiveUp:
                Queue.Report("w1", CurrentLease, Build.Broken(), Now);
                break;
            case ExecutionEvent.Cancel:
                Queue.Cancel(_operation.Name, Now);
                break;
            case ExecutionEvent.Refuse:
                // From here on nobody serves the platform, and that for longer than anyone may wait.
                if (from != ExecutionState.Queued) Queue.Drain("w1", _session, Now);
                for (var waited = TimeSpan.Zero; waited <= Options.UnsatisfiableMax; waited += Options.HeartbeatInterval)
                {
                    Advance(Options.HeartbeatInterval);
                    Queue.Heartbeat("w1", _session, held: null, Now);
                }

                break;
        }
    }

    private void BringWorkerTo(WorkerState state)
    {
        // Two slots and two executions: what happens to the first leaves something to wait for.
        _operation = Submit(Build.Request(1));
        var second = Submit(Build.Request(2));
        _session = Join(Build.Worker("w1", slots: 2));
        switch (state)
        {
            case WorkerState.Joining:
                Queue.Disconnected("w1", _session, Now);
                break;
            case WorkerState.Draining:
                Queue.Drain("w1", _session, Now);
                break;
            case WorkerState.Quarantined:
                Queue.Report("w1", second.Execution.LeaseId, Build.Broken(), Now);
                break;
            case WorkerState.Gone:
                Queue.Disconnected("w1", _session, Now);
                Advance(Options.RejoinGrace);
                break;
        }
    }

    private void Happen(WorkerEvent @event, WorkerState from)
    {
        switch (@event)
        {
            case WorkerEvent.Join when from == WorkerState.Gone:
                // Who comes back is a new worker; the old one's session is dead for ever.
                Queue.Heartbeat("w1", _session, held: null, Now);
                break;
            case WorkerEvent.Join:
                _session = Join(Build.Worker("w1", slots: 2) with { Running = [CurrentLease] });
                break;
            case WorkerEvent.Disconnect:
                Queue.Disconnected("w1", _session, Now);
                break;
            case WorkerEvent.Drain:
                Queue.Drain("w1", _session, Now);
                break;
            case WorkerEvent.Trip:
                Queue.Report("w1", CurrentLease, Build.Broken(), Now);
                break;
            case WorkerEvent.Succeed:
                Queue.Report("w1", CurrentLease, Build.Ok(), Now);
                break;
            case WorkerEvent.Lose:
                Advance(Options.WorkerSilenceMax);
                break;
        }
    }
}
