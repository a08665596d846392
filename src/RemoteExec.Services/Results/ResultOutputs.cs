using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Everything that an ActionResult refers to: files, trees and all that is in them, stdout, stderr. A result is worth nothing
/// unless all of it is stored (REAPI A1, A3), so it is asked for in one question.
/// </summary>
internal sealed class ResultOutputs(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    // The action cache could not check a larger one later either.
    private const int TreeBytesMax = 64 << 20;

    // What a command made may have absolute links, whatever inputs may have.
    private readonly InputTrees _trees = new(store, options with { AllowAbsoluteSymlinks = true }, clock);

    private readonly ResultPaths _paths = new(store, options);

    /// <summary>What is not stored of <paramref name="action"/>'s result; empty for one that may be announced.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT for a malformed digest, path or tree.</exception>
    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        ActionResult result, Digest action, CancellationToken cancellationToken)
    {
        await _paths.CheckAsync(result, action, cancellationToken);

        var function = action.Function;
        var digests = new HashSet<Digest>();
        foreach (var file in result.OutputFiles)
            digests.Add(WireDigests.FromWire(file.Digest, function, $"output_files[{file.Path}].digest"));
        if (result.StdoutDigest is not null) digests.Add(WireDigests.FromWire(result.StdoutDigest, function, "stdout_digest"));
        if (result.StderrDigest is not null) digests.Add(WireDigests.FromWire(result.StderrDigest, function, "stderr_digest"));
        var missing = new List<Digest>();
        foreach (var directory in result.OutputDirectories)
            await AddDirectoryAsync(digests, missing, directory, function, cancellationToken);

        if (digests.Count > 0) missing.AddRange(await store.FindMissingAsync([.. digests], cancellationToken));
        return missing.Count < 2 ? missing : [.. missing.Distinct()];
    }

    private async ValueTask AddDirectoryAsync(
        HashSet<Digest> digests, List<Digest> missing, OutputDirectory directory, DigestFunction function, CancellationToken cancellationToken)
    {
        string field = $"output_directories[{directory.Path}]";
        if (directory.TreeDigest is null && directory.RootDirectoryDigest is null)
            throw RpcErrors.InvalidField(field, $"{field} has neither a tree nor a root directory");

        // With a root digest the directories themselves are promised as blobs (REAPI X10).
        if (directory.RootDirectoryDigest is not null)
        {
            var root = WireDigests.FromWire(directory.RootDirectoryDigest, function, $"{field}.root_directory_digest");
            missing.AddRange(await _trees.FindMissingAsync(root, cancellationToken));
        }

        if (directory.TreeDigest is null) return;

        var treeDigest = WireDigests.FromWire(directory.TreeDigest, function, $"{field}.tree_digest");
        // An absent tree goes into the question like any file; what hangs below it cannot be known.
        if (!digests.Add(treeDigest)) return;
        if (treeDigest.SizeBytes > TreeBytesMax) throw RpcErrors.Invalid($"{field}: the tree is larger than {TreeBytesMax} bytes");
        if (await store.ReadAllAsync(treeDigest, TreeBytesMax, cancellationToken) is not { } blob) return;

        var tree = WireMessages.Parse(Tree.Parser, blob, treeDigest);
        AddFiles(digests, tree.Root, treeDigest);
        foreach (var child in tree.Children)
            AddFiles(digests, child, treeDigest);
    }

    private static void AddFiles(HashSet<Digest> digests, WireDirectory? directory, Digest tree)
    {
        if (directory is null) return;
        ResultPaths.CheckNames(directory, tree);
        foreach (var file in directory.Files)
            digests.Add(WireDigests.FromWire(file.Digest, tree.Function, file.Name));
    }
}
