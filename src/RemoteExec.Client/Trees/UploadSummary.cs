namespace RemoteExec.Client;

/// <summary>What an upload sent.</summary>
public sealed record UploadSummary(int Blobs, long Bytes);
