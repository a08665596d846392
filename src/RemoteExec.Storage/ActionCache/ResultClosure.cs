using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Protocol;
using Digest = RemoteExec.Core.Digest;
using DigestFunction = RemoteExec.Core.DigestFunction;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;
using WireDigest = Build.Bazel.Remote.Execution.V2.Digest;

namespace RemoteExec.Storage;

/// <summary>Everything that a result refers to: files, trees with all that is inside, stdout, stderr (REAPI A1).</summary>
internal sealed class ResultClosure(IBlobStore store, SizedLru<Digest, Digest[]> trees)
{
    // A tree artifact of 100,000 files is a tenth of it. What is larger cannot be checked, and so is no hit.
    private const int TreeBytesMax = 64 << 20;

    // Directories are walked one by one where no Tree lists them: a bound for a client's graph, not for a build's.
    private const int DirectoriesMax = 100_000;

    // Weight of one digest in the memory of trees.
    private const int DigestBytes = 64;

    /// <summary>Null when the closure cannot be told: a tree is absent or is no tree, or a digest is none.</summary>
    public async ValueTask<List<Digest>?> FindAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        var closure = new List<Digest>();
        foreach (var file in result.OutputFiles)
            if (!TryAdd(closure, file.Digest, function)) return null;
        if (result.StdoutDigest is not null && !TryAdd(closure, result.StdoutDigest, function)) return null;
        if (result.StderrDigest is not null && !TryAdd(closure, result.StderrDigest, function)) return null;

        foreach (var directory in result.OutputDirectories)
        {
            if (await FindAsync(directory, function, cancellationToken) is not { } inside) return null;
            closure.AddRange(inside);
        }

        return closure;
    }

    private static bool TryAdd(List<Digest> closure, WireDigest? wire, DigestFunction function)
    {
        if (!WireDigests.TryFromWire(wire, function, out var digest, out _)) return false;
        closure.Add(digest);
        return true;
    }

    private static bool TryAddFiles(List<Digest> closure, Directory? directory, DigestFunction function)
    {
        if (directory is null) return true;
        foreach (var file in directory.Files)
            if (!TryAdd(closure, file.Digest, function)) return false;
        return true;
    }

    private async ValueTask<IReadOnlyList<Digest>?> FindAsync(OutputDirectory output, DigestFunction function, CancellationToken cancellationToken)
    {
        // A tree's content never changes, so neither does what is inside: parsed once, remembered under its digest.
        var closure = new List<Digest>();
        if (output.TreeDigest is not null)
        {
            if (!WireDigests.TryFromWire(output.TreeDigest, function, out var tree, out _)) return null;
            if (await RememberedAsync(tree, OfTreeAsync, cancellationToken) is not { } inside) return null;
            closure.AddRange(inside);
        }

        if (output.RootDirectoryDigest is not null)
        {
            if (!WireDigests.TryFromWire(output.RootDirectoryDigest, function, out var root, out _)) return null;
            if (await RememberedAsync(root, OfDirectoriesAsync, cancellationToken) is not { } inside) return null;
            closure.AddRange(inside);
        }

        return closure;
    }

    private async ValueTask<Digest[]?> RememberedAsync(
        Digest root, Func<Digest, CancellationToken, ValueTask<List<Digest>?>> find, CancellationToken cancellationToken)
    {
        if (trees.TryGet(root, out var remembered)) return remembered;
        if (await find(root, cancellationToken) is not { } found) return null;

        Digest[] closure = [.. found.Distinct()];
        trees.Set(root, closure, (closure.Length + 1) * DigestBytes);
        return closure;
    }

    private async ValueTask<List<Digest>?> OfTreeAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (await ReadAsync(Tree.Parser, digest, cancellationToken) is not { } tree) return null;

        var closure = new List<Digest> { digest };
        if (!TryAddFiles(closure, tree.Root, digest.Function)) return null;
        foreach (var child in tree.Children)
            if (!TryAddFiles(closure, child, digest.Function)) return null;
        return closure;
    }

    private async ValueTask<List<Digest>?> OfDirectoriesAsync(Digest root, CancellationToken cancellationToken)
    {
        var closure = new List<Digest>();
        var seen = new HashSet<Digest> { root };
        var next = new Queue<Digest>(seen);
        while (next.TryDequeue(out var digest))
        {
            closure.Add(digest);
            if (await ReadAsync(Directory.Parser, digest, cancellationToken) is not { } directory) return null;
            if (!TryAddFiles(closure, directory, root.Function)) return null;
            foreach (var child in directory.Directories)
            {
                if (!WireDigests.TryFromWire(child.Digest, root.Function, out var childDigest, out _)) return null;
                if (!seen.Add(childDigest)) continue;
                if (seen.Count > DirectoriesMax) return null;
                next.Enqueue(childDigest);
            }
        }

        return closure;
    }

    private async ValueTask<T?> ReadAsync<T>(MessageParser<T> parser, Digest digest, CancellationToken cancellationToken)
        where T : class, IMessage<T>
    {
        if (digest.SizeBytes > TreeBytesMax) return null;
        if (await store.ReadAllAsync(digest, TreeBytesMax, cancellationToken) is not { } bytes) return null;
        try
        {
            return parser.ParseFrom(bytes.Span);
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }
}
