namespace RemoteExec.Web;

/// <summary>Where an action's time went, from ExecutedActionMetadata; 0 for a stage that has not happened.</summary>
public sealed record StageTimes(double QueueSeconds, double FetchSeconds, double RunSeconds, double UploadSeconds);
