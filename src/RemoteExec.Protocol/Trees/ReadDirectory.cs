namespace RemoteExec.Protocol;

/// <summary>Where a walk gets its Directories from: a store, a cache, a Tree. Null is a miss.</summary>
public delegate ValueTask<WireDirectory?> ReadDirectory(Digest digest, CancellationToken cancellationToken);
