using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One file of an input root: which blob, at which path, with or without the executable bit.</summary>
public readonly record struct BlobLink(Digest Digest, bool Executable, string Path);
