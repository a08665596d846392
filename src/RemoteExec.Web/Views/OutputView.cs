namespace RemoteExec.Web;

/// <summary>Standard output or standard error, or both its ends when it is long, and where all of it is.</summary>
public sealed record OutputView(string Text, bool Truncated, long SizeBytes, string BlobUrl);
