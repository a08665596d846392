namespace RemoteExec.Web;

/// <summary>One input or output: kind is <c>file</c>, <c>executable</c>, <c>directory</c> or <c>symlink</c>.</summary>
public sealed record FileView(string Path, string Kind, long SizeBytes, string Digest, string BlobUrl, string Target);
