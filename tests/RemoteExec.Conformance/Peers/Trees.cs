using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Directories: made, stored, listed.</summary>
internal static class Trees
{
    public static FileNode File(string name, WireDigest digest, bool isExecutable = false) => new() { Name = name, Digest = digest, IsExecutable = isExecutable };

    public static DirectoryNode Folder(string name, WireDigest digest) => new() { Name = name, Digest = digest };

    public static SymlinkNode Link(string name, string target) => new() { Name = name, Target = target };

    /// <summary>A root with this many folders, each with a file of its own.</summary>
    public static async Task<Blob> StoreFoldersAsync(Peer peer, int folders)
    {
        var blobs = new List<Blob>();
        var root = new WireDirectory();
        for (int i = 0; i < folders; i++)
        {
            var file = Blob.Of(Peer.Random(20));
            var folder = Blob.Of(new WireDirectory { Files = { File("f", file.Digest) } });
            blobs.AddRange(file, folder);
            root.Directories.Add(Folder($"d{i:d4}", folder.Digest));
        }

        var whole = Blob.Of(root);
        await peer.StoreAsync([.. blobs, whole]);
        return whole;
    }

    public static async Task<IReadOnlyList<WireDirectory>> AllAsync(Peer peer, WireDigest root) =>
        [.. (await PagesAsync(peer, new GetTreeRequest { InstanceName = peer.Instance, RootDigest = root })).SelectMany(page => page.Directories)];

    public static async Task<IReadOnlyList<GetTreeResponse>> PagesAsync(Peer peer, GetTreeRequest request)
    {
        using var call = peer.Cas.GetTree(request);
        var pages = new List<GetTreeResponse>();
        await foreach (var page in call.ResponseStream.ReadAllAsync(peer.Deadline)) pages.Add(page);
        return pages;
    }
}
