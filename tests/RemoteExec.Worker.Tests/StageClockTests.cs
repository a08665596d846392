using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

/// <summary>What the times of a result say to whoever takes what is before the worker's start for the queue.</summary>
public sealed class StageClockTests
{
    [Test]
    public void The_wait_for_a_slot_is_before_the_workers_start_and_the_stages_keep_their_durations()
    {
        var time = new ManualTime();
        var clock = new StageClock("w", queued: null, time);
        var begun = clock.Metadata.WorkerStartTimestamp.Clone();
        time.Advance(TimeSpan.FromSeconds(1));
        clock.Enter(Stage.Bring);
        time.Advance(TimeSpan.FromSeconds(2));
        clock.Enter(Stage.Run);
        time.Advance(TimeSpan.FromSeconds(10));

        Assert.That(clock.SlotTaken(), Is.EqualTo(TimeSpan.FromSeconds(10)));
        clock.ExecutionStarted();
        var metadata = clock.Metadata;
        Assert.That(
            new[]
            {
                metadata.WorkerStartTimestamp - begun, metadata.InputFetchStartTimestamp - metadata.WorkerStartTimestamp,
                metadata.InputFetchCompletedTimestamp - metadata.InputFetchStartTimestamp, metadata.ExecutionStartTimestamp - metadata.InputFetchCompletedTimestamp,
            }.Select(duration => duration.Seconds),
            Is.EqualTo(new[] { 10, 1, 2, 0 }));
    }
}
