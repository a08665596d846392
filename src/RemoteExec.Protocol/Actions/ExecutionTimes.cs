using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;

namespace RemoteExec.Protocol;

/// <summary>
/// How long a worker's stages took, from the timestamps of its metadata (REAPI T1). Null for a stage that has not happened, and for
/// one that would have ended before it began: between two machines' clocks that is no duration.
/// </summary>
public static class ExecutionTimes
{
    public static TimeSpan? FetchTime(this ExecutedActionMetadata metadata) =>
        Between(metadata.InputFetchStartTimestamp, metadata.InputFetchCompletedTimestamp);

    /// <summary>From the inputs being there to the command's start: the sandbox. The wait for a slot is before all of them, in the queue.</summary>
    public static TimeSpan? SetupTime(this ExecutedActionMetadata metadata) =>
        Between(metadata.InputFetchCompletedTimestamp, metadata.ExecutionStartTimestamp);

    public static TimeSpan? RunTime(this ExecutedActionMetadata metadata) =>
        Between(metadata.ExecutionStartTimestamp, metadata.ExecutionCompletedTimestamp);

    public static TimeSpan? UploadTime(this ExecutedActionMetadata metadata) =>
        Between(metadata.OutputUploadStartTimestamp, metadata.OutputUploadCompletedTimestamp);

    /// <summary>From the worker's end to its report being read here.</summary>
    public static TimeSpan? ReportTime(this ExecutedActionMetadata metadata, DateTimeOffset reportedAt) =>
        Between(metadata.WorkerCompletedTimestamp, Timestamp.FromDateTimeOffset(reportedAt));

    private static TimeSpan? Between(Timestamp? start, Timestamp? end) =>
        start is null || end is null || end < start ? null : (end - start).ToTimeSpan();
}
