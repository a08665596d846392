using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>When a blob was used last.</summary>
internal readonly record struct BlobUse(Digest Digest, long UseMs);
