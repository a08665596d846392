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
