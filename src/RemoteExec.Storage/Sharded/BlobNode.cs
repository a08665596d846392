namespace RemoteExec.Storage;

/// <summary>One of several stores that blobs are spread over.</summary>
/// <param name="Name">Decides which blobs are its own: a node that is renamed begins anew.</param>
/// <param name="Weight">Its share of the blobs, in proportion to the others' weights.</param>
public sealed record BlobNode(string Name, IBlobStore Store, int Weight = 1);
