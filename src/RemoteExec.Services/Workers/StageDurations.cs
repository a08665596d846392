using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>Where a worker's time went, under the names of the metric's stages.</summary>
internal static class StageDurations
{
    public static IReadOnlyList<StageDuration> Of(ExecutedActionMetadata metadata, DateTimeOffset reportedAt)
    {
        var stages = new List<StageDuration>(capacity: 5);
        Add("fetch", metadata.FetchTime());
        Add("setup", metadata.SetupTime());
        Add("run", metadata.RunTime());
        Add("upload", metadata.UploadTime());
        Add("report", metadata.ReportTime(reportedAt));
        return stages;

        void Add(string stage, TimeSpan? time)
        {
            if (time is { } known) stages.Add(new StageDuration(stage, known));
        }
    }
}
