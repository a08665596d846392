namespace RemoteExec.Storage;

/// <summary>Where a chunk is that is no blob of its own: a part of one that is stored whole.</summary>
public readonly record struct ChunkPlace(Digest Blob, long Offset);
