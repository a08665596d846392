using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>Walks through the trees that a store holds.</summary>
public static class StoredDirectories
{
    /// <summary>A walk whose Directories are read by the rules of <paramref name="use"/>.</summary>
    public static DirectoryWalk Walk(this IBlobStore store, TreeLimits limits, DirectoryUse use) =>
        new((digest, cancellationToken) => store.ReadDirectoryAsync(digest, limits, use, cancellationToken), limits);

    /// <summary>Null is a miss. What is here and is no such Directory is INVALID_ARGUMENT.</summary>
    public static async ValueTask<WireDirectory?> ReadDirectoryAsync(
        this IBlobStore store, Digest digest, TreeLimits limits, DirectoryUse use, CancellationToken cancellationToken) =>
        await store.ReadAllAsync(digest, limits.DirectoryBytesMax, cancellationToken) is { } blob
            ? DirectoryBlob.Parse(blob, digest, use, limits)
            : null;
}
