using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>Where a worker's time went, read from the timestamps of its report.</summary>
internal static class StageTimes
{
    public static IReadOnlyList<StageDuration> Of(ExecutedActionMetadata metadata, DateTimeOffset reportedAt)
    {
        var stages = new List<StageDuration>(capacity: 5);
        Add(stages, "fetch", metadata.InputFetchStartTimestamp, metadata.InputFetchCompletedTimestamp);
        Add(stages, "setup", metadata.InputFetchCompletedTimestamp, metadata.ExecutionStartTimestamp);
        Add(stages, "run", metadata.ExecutionStartTimestamp, metadata.ExecutionCompletedTimestamp);
        Add(stages, "upload", metadata.OutputUploadStartTimestamp, metadata.OutputUploadCompletedTimestamp);
        Add(stages, "report", metadata.WorkerCompletedTimestamp, Timestamp.FromDateTimeOffset(reportedAt));
        return stages;
    }

    // Between two machines' clocks a duration may come out negative; that is no duration.
    private static void Add(List<StageDuration> stages, string stage, Timestamp? start, Timestamp? end)
    {
        if (start is null || end is null || end < start) return;
        stages.Add(new StageDuration(stage, (end - start).ToTimeSpan()));
    }
}
