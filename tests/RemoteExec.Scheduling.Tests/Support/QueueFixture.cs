using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>A queue, a clock that is a variable, and short words for its events.</summary>
internal abstract class QueueFixture
{
    private ulong _ids;

    protected SchedulerOptions Options { get; set; } = new();

    protected BuildQueue Queue { get; private set; } = null!;

    protected DateTimeOffset Now { get; private set; }

    [SetUp]
    public void SetUpQueue()
    {
        Options = new SchedulerOptions();
        Now = Build.Start;
        NewQueue();
    }

    protected void NewQueue() => Queue = new BuildQueue(Options, () => ++_ids);

    protected Operation Submit(ExecutionRequest request) => Queue.Submit(request, Now);

    protected long Join(WorkerDescription worker) => Queue.Join(worker, Now);

    /// <summary>Moves the clock and lets the rules of time act at each point where they want to.</summary>
    protected void Advance(TimeSpan by)
    {
        var end = Now + by;
        while (Queue.NextDue is { } due && due <= end)
        {
            Now = due > Now ? due : Now;
            Queue.Tick(Now);
        }

        Now = end;
    }

    /// <summary>What workers were told since the last look.</summary>
    protected IReadOnlyList<WorkerCommand> Told() =>
        [.. Queue.TakeTransitions().Effects.OfType<Effect.WorkerTold>().Select(told => told.Command)];

    protected IReadOnlyList<Lease> Offered() => [.. Told().OfType<WorkerCommand.OfferLease>().Select(offer => offer.Lease)];

    /// <summary>Runs the completion hook of everything that ended: waiters know from here on.</summary>
    protected IReadOnlyList<CompletedExecution> PublishEnded()
    {
        var ended = Queue.TakeTransitions().Effects.OfType<Effect.ExecutionEnded>().Select(effect => effect.Execution).ToArray();
        foreach (var execution in ended) Queue.Publish(execution.Id, Now);
        return ended;
    }
}
