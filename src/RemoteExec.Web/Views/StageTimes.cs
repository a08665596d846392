namespace RemoteExec.Web;

/// <summary>Where an action's time went, from ExecutedActionMetadata; 0 for a stage that has not happened.</summary>
public sealed record StageTimes(double QueueSeconds, double FetchSeconds, double RunSeconds, double UploadSeconds)
{
    /// <summary>What is none of these: the way to the worker and back, the work directory, the sandbox, what is written down. All together are the total.</summary>
    public double OtherSeconds { get; init; }

    public StageTimes Within(double totalSeconds) =>
        this with { OtherSeconds = Math.Max(0, totalSeconds - QueueSeconds - FetchSeconds - RunSeconds - UploadSeconds) };
}
