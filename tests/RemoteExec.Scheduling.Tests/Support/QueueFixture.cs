using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>A queue, two clocks that are variables, and short words for its events.</summary>
internal abstract class QueueFixture
{
    private ulong _ids;

    protected SchedulerOptions Options { get; set; } = new();

    protected BuildQueue Queue { get; private set; } = null!;

    protected Instant Now { get; private set; }

    [SetUp]
    public void SetUpQueue()
    {
        Options = new SchedulerOptions();
        Now = Build.Begin;
        NewQueue();
    }

    protected void NewQueue() => Queue = new BuildQueue(Options, () => ++_ids);

    protected Operation Submit(ExecutionRequest request) => Queue.Submit(request, Now);

    protected long Join(WorkerDescription worker) => Queue.Join(worker, Now);

    /// <summary>The feed that was opened last ends.</summary>
    protected void Unwatch(Operation operation, bool isCancelled) => Queue.Unwatch(operation.Name, operation.Watches, isCancelled, Now);

    /// <summary>Moves the clocks and lets the rules of time act at each point where they want to.</summary>
    protected void Advance(TimeSpan by)
    {
        var end = Now.After(by);
        while (Queue.NextDue is { } due && due <= end.Monotonic)
        {
            if (due > Now.Monotonic) Now = Now.After(due - Now.Monotonic);
            Queue.Tick(Now);
        }

        Now = end;
    }

    /// <summary>Somebody sets the wall clock.</summary>
    protected void StepWall(TimeSpan by) => Now = Now with { Wall = Now.Wall + by };

    /// <summary>Time passes and the worker says that it is alive, without naming what it holds.</summary>
    protected void KeepAlive(long session, TimeSpan duration, string worker = "w1")
    {
        var end = Now.Monotonic + duration;
        while (Now.Monotonic < end)
        {
            var rest = end - Now.Monotonic;
            Advance(rest < Options.HeartbeatInterval ? rest : Options.HeartbeatInterval);
            Queue.Heartbeat(worker, session, held: null, Now);
        }
    }

    /// <summary>Long enough for any lost attempt to be followed by the next, and too short for anybody to be lost.</summary>
    protected void WaitOut() => Advance(Options.AttemptWaitMax < Options.HeartbeatInterval ? Options.AttemptWaitMax : Options.HeartbeatInterval);

    /// <summary>What workers were told since the last look: they have it in their hands.</summary>
    protected IReadOnlyList<WorkerCommand> Told() => [.. Queue.TakeTransitions().Tell().Select(told => told.Command)];

    protected IReadOnlyList<Lease> Offered() => [.. Told().OfType<WorkerCommand.OfferLease>().Select(offer => offer.Lease)];

    /// <summary>Runs the completion hook of everything that ended: waiters know from here on.</summary>
    protected IReadOnlyList<CompletedExecution> PublishEnded()
    {
        var ended = Queue.TakeTransitions().Effects.OfType<Effect.ExecutionEnded>().Select(effect => effect.Execution).ToArray();
        foreach (var execution in ended) Queue.Publish(execution.Id, Now);
        return ended;
    }

    protected WorkerState StateOf(string worker) =>
        Queue.Snapshot(Now).Workers.SingleOrDefault(candidate => candidate.Description.Id == worker)?.State ?? WorkerState.Gone;
}
