namespace RemoteExec.Storage;

/// <summary>Action cache entries are private to their instance name, and digests of two functions never meet.</summary>
public readonly record struct ActionCacheKey(InstanceName Instance, Digest Action);
