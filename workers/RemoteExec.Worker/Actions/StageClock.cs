using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Worker;

/// <summary>
/// Times the stages of one attempt into ExecutedActionMetadata (REAPI T1). Every timestamp comes from one wall
/// clock reading plus a monotonic difference, so that no stage ends before it began when the clock is set.
/// </summary>
internal sealed class StageClock
{
    private readonly TimeProvider _time;
    private readonly DateTimeOffset _startedAt;
    private readonly long _startedTicks;

    public StageClock(string worker, Timestamp? queued, TimeProvider time)
    {
        _time = time;
        _startedAt = time.GetUtcNow();
        _startedTicks = time.GetTimestamp();
        Metadata = new ExecutedActionMetadata { Worker = worker, QueuedTimestamp = queued, WorkerStartTimestamp = Now };
    }

    public ExecutedActionMetadata Metadata { get; }

    private Timestamp Now => Timestamp.FromDateTimeOffset(_startedAt + _time.GetElapsedTime(_startedTicks));

    public void Enter(Stage stage)
    {
        switch (stage)
        {
            case Stage.Bring: Metadata.InputFetchStartTimestamp = Now; break;
            case Stage.Run: Metadata.InputFetchCompletedTimestamp = Now; break;
            case Stage.Take: Metadata.OutputUploadStartTimestamp = Now; break;
        }
    }

    /// <summary>
    /// It has a slot, and until now it was in line: the stages before are told as if they had begun so much later, because whoever reads
    /// these times takes all that is before the worker's start for the queue, and all behind it for work.
    /// </summary>
    /// <returns>How long it waited.</returns>
    public TimeSpan SlotTaken()
    {
        var now = Now;
        var waited = now - Metadata.InputFetchCompletedTimestamp; // the stage before
        Metadata.WorkerStartTimestamp += waited;
        Metadata.InputFetchStartTimestamp += waited;
        Metadata.InputFetchCompletedTimestamp = now;
        return waited.ToTimeSpan();
    }

    /// <summary>Called twice: when the sandbox is asked, and again when it reports that the program has started.</summary>
    public void ExecutionStarted() => Metadata.ExecutionStartTimestamp = Now;

    public void ExecutionCompleted(TimeSpan virtualDuration)
    {
        Metadata.ExecutionCompletedTimestamp = Now;
        Metadata.VirtualExecutionDuration = Duration.FromTimeSpan(virtualDuration);
    }

    public void OutputUploadCompleted() => Metadata.OutputUploadCompletedTimestamp = Now;

    public ExecutedActionMetadata Complete()
    {
        Metadata.WorkerCompletedTimestamp = Now;
        return Metadata;
    }
}
