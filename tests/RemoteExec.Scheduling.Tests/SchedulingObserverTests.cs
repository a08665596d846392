using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

internal sealed class SchedulingObserverTests
{
    [Test]
    public async Task Who_watches_is_told_what_happened()
    {
        var told = new RecordedNews();

        await LiveAsync(told);

        Assert.That(told.All, Is.EquivalentTo(new[]
        {
            "connected metrics", "merged", "requeued", "stale", "ended Ok of metrics", "completion failed", "disconnected metrics",
        }));
    }

    [Test]
    public async Task Who_watches_and_throws_changes_nothing()
    {
        var throwing = new RecordedNews { Throws = true };

        var end = await LiveAsync(throwing);

        Assert.That(end!.Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That(throwing.All, Has.Count.EqualTo(7), "told all the same");
    }

    /// <summary>Two requests for one action, whose first attempt fails, whose second succeeds, and whose completion hook throws.</summary>
    private static async Task<OperationSnapshot?> LiveAsync(ISchedulingObserver observer)
    {
        var time = new ManualTime();
        await using var scheduler = new Scheduler(
            new SchedulerOptions { Observer = observer }, new MemoryOperationJournal(), time, (_, _) => throw new TimeZoneNotFoundException());
        await scheduler.StartAsync(default);
        var worker = scheduler.Join(Build.Worker() with { Pool = "metrics" });
        using var first = await scheduler.SubmitAsync(Build.Request(), default);
        using var second = await scheduler.SubmitAsync(Build.Request(), default);

        var lost = await NextLeaseAsync(worker);
        await scheduler.ReportAsync(worker.WorkerId, lost, Build.Broken(), default);
        await scheduler.ReportAsync(worker.WorkerId, lost, Build.Broken(), default);
        time.Advance(scheduler.Options.AttemptWaitFirst);
        await scheduler.ReportAsync(worker.WorkerId, await NextLeaseAsync(worker), Build.Ok(), default);
        var end = await first.WaitAsync(default);
        await worker.DisposeAsync();
        return end;
    }

    private static async Task<LeaseId> NextLeaseAsync(WorkerSession worker)
    {
        while (true)
        {
            if (await worker.Commands.ReadAsync() is WorkerCommand.OfferLease offer) return offer.Lease.Id;
        }
    }

    private sealed class RecordedNews : ISchedulingObserver
    {
        private readonly Lock _gate = new();
        private readonly List<string> _all = [];

        public bool Throws { get; init; }

        public IReadOnlyList<string> All
        {
            get
            {
                lock (_gate) return [.. _all];
            }
        }

        public void Merged() => Note("merged");

        public void Requeued() => Note("requeued");

        public void Ended(CompletedExecution execution) => Note($"ended {execution.Outcome.Code} of {execution.Pool}");

        public void CompletionFailed() => Note("completion failed");

        public void WorkerConnected(string pool) => Note($"connected {pool}");

        public void WorkerDisconnected(string pool) => Note($"disconnected {pool}");

        public void StaleReport() => Note("stale");

        private void Note(string news)
        {
            lock (_gate) _all.Add(news);
            if (Throws) throw new TimeZoneNotFoundException(news);
        }
    }
}
