namespace RemoteExec.Web;

/// <summary>How full the content-addressed storage is.</summary>
public sealed record StorageView(long Bytes, long LimitBytes, long Blobs);
