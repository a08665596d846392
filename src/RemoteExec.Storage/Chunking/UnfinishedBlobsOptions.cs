namespace RemoteExec.Storage;

/// <summary>Where the beginnings of blobs are kept, and how much of them.</summary>
public sealed record UnfinishedBlobsOptions
{
    /// <summary>Of their own, made when there is something to keep.</summary>
    public required string Directory { get; init; }

    /// <summary>Of all of them together. Of a blob that is larger its beginning is kept.</summary>
    public required long LimitBytes { get; init; }
}
