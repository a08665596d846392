namespace RemoteExec.Web;

/// <summary>The beginning of standard output or standard error, and where all of it is.</summary>
public sealed record OutputView(string Text, bool Truncated, long SizeBytes, string BlobUrl);
