namespace RemoteExec.Client;

/// <summary>A folder as REAPI sees it: the digest of its root Directory, and every blob that the tree needs.</summary>
public sealed record InputTree(Digest Root, IReadOnlyCollection<LocalBlob> Blobs, long Files, long Bytes);
