using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

[TestFixture]
[NonParallelizable]
internal sealed class SchedulingMetricsTests
{
    [Test]
    public async Task A_run_is_counted_timed_and_seen_in_the_gauges()
    {
        var seen = new ConcurrentDictionary<string, double>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listener) =>
            {
                if (instrument.Meter.Name == "RemoteExec.Scheduling") listener.EnableMeasurementEvents(instrument);
            },
        };
        listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => Note(seen, instrument, value, tags));
        listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => Note(seen, instrument, value, tags));
        listener.Start();

        var time = new ManualTime();
        await using var scheduler = new Scheduler(new SchedulerOptions(), new MemoryOperationJournal(), time);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker(slots: 2) with { Pool = "metrics" });
        using var failing = await scheduler.SubmitAsync(Build.Request(1), default);
        using var merged = await scheduler.SubmitAsync(Build.Request(1), default);
        using var waiting = await scheduler.SubmitAsync(Build.Request(2, "Pool=invented"), default);
        var lease = ((WorkerCommand.OfferLease)await worker.Commands.ReadAsync()).Lease;
        time.Advance(TimeSpan.FromSeconds(3));
        await worker.StartedAsync(lease.Id, default);
        listener.RecordObservableInstruments();

        Assert.That(seen["remoteexec_queue_operations pool=any state=running"], Is.EqualTo(1));
        Assert.That(seen["remoteexec_queue_operations pool=unknown state=queued"], Is.EqualTo(1));
        Assert.That(seen["remoteexec_queue_oldest_operation_age_seconds pool=unknown"], Is.EqualTo(3));
        Assert.That(seen["remoteexec_pool_slots pool=metrics"], Is.EqualTo(2));
        Assert.That(seen["remoteexec_pool_slots_used pool=metrics"], Is.EqualTo(1));
        Assert.That(seen["remoteexec_workers pool=metrics state=ready version=1"], Is.EqualTo(1));
        Assert.That(seen["remoteexec_operation_in_flight_merged_total "], Is.EqualTo(1));

        var outcome = Build.Ok() with { ExitCode = 1, Stages = [new StageDuration("run", TimeSpan.FromSeconds(2))] };
        await worker.FinishedAsync(lease.Id, outcome, default);
        await failing.WaitAsync(default);
        Assert.That(seen["remoteexec_operations_total pool=metrics result=nonzero"], Is.EqualTo(1));
        Assert.That(seen["remoteexec_operation_stage_seconds pool=metrics stage=assign"], Is.EqualTo(3));
        Assert.That(seen["remoteexec_operation_stage_seconds pool=metrics stage=run"], Is.EqualTo(2));
    }

    private static void Note(
        ConcurrentDictionary<string, double> seen, Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        var labels = tags.ToArray().Select(tag => $"{tag.Key}={tag.Value}");
        seen[$"{instrument.Name} {string.Join(' ', labels)}"] = value;
    }
}
