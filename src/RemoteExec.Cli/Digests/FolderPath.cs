using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Client;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>Paths in a stored folder.</summary>
internal sealed class FolderPath(StoredFolder folder, Digest digest)
{
    public StoredFolder Folder => folder;

    /// <exception cref="ClientException">It is a file.</exception>
    public static async Task<FolderPath> OpenAsync(IBlobStore blobs, Digest digest, CancellationToken cancellationToken)
    {
        if (await StoredFolder.TryOpenAsync(blobs, digest, cancellationToken) is { } folder) return new FolderPath(folder, digest);

        if ((await blobs.FindMissingAsync([digest], cancellationToken)).Count > 0) throw NotStored.Of(digest);
        throw new ClientException($"{digest} is a file and has no paths in it; rexec cat {digest} shows it");
    }

    /// <summary>The digest of a file.</summary>
    public Digest FileAt(string path)
    {
        int slash = path.TrimEnd('/').LastIndexOf('/');
        string name = path.TrimEnd('/')[(slash + 1)..];
        var parent = folder.Find(slash < 0 ? "" : path[..slash])?.Message ?? throw NoSuchPath(path);
        if (parent.Files.FirstOrDefault(file => file.Name == name) is { } found)
            return WireDigests.FromWire(found.Digest, digest.Function, path);
        if (parent.Directories.Any(child => child.Name == name))
            throw new ClientException($"{path} is a folder; rexec ls {digest} {path} lists it");
        if (parent.Symlinks.FirstOrDefault(link => link.Name == name) is { } found2)
            throw new ClientException($"{path} is a link to {found2.Target}; name that");
        throw NoSuchPath(path);
    }

    /// <summary>The directory at a path.</summary>
    public (Digest Digest, WireDirectory Message) FolderAt(string path) => folder.Find(path) ?? throw NoSuchPath(path);

    private RpcException NoSuchPath(string path) =>
        new(new Status(StatusCode.NotFound, $"{path} is not in {digest}; rexec ls {digest} --recursive shows what is"));
}
