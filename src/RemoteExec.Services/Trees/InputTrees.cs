using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Checks that an input tree is whole before its action is queued (REAPI E1, E2): every directory is read and held
/// against its canonical form, every file is looked for, all in one question to the store. Everything missing is found at once,
/// because each answer costs the client a round of uploads.
/// </summary>
internal sealed class InputTrees(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    // Reads of one level in flight: hides the latency of a remote store, and bounds what is in memory.
    private const int ReadsAtOnce = 8;

    private readonly CompleteTreeMemory _memory = new(options.CompleteTreeMemory, clock);
    private readonly TreeBudget _budget = options.TreeBudget;

    /// <summary>
    /// The blobs that the tree lacks, directories and files; empty when it is whole. What hangs below
    /// an absent directory cannot be known yet.
    /// </summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a malformed directory, RESOURCE_EXHAUSTED beyond the budget.</exception>
    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(Digest root, CancellationToken cancellationToken)
    {
        // Every action without inputs, and the second and all further actions with these.
        if (root.IsEmpty || _memory.TryGet(root, out _)) return [];

        var seenAt = clock.GetUtcNow();
        var walk = await DiscoverAsync(root, cancellationToken);
        var missing = await FindMissingFilesAsync(walk, cancellationToken);
        if (missing.Count == 0) _memory.Add(Summarise(root, walk), seenAt);
        return missing;
    }

    /// <summary>
    /// Whether a directory of that path exists in a whole tree (REAPI X4). A link on the way may lead anywhere, so it gets
    /// the benefit of the doubt.
    /// </summary>
    public async ValueTask<bool> HasDirectoryAsync(Digest root, string path, CancellationToken cancellationToken)
    {
        var current = root;
        foreach (string name in path.Length == 0 ? [] : path.Split('/'))
        {
            if (current.IsEmpty || await ReadAsync(current, cancellationToken) is not { } directory) return false;
            if (directory.Symlinks.Any(link => link.Name == name)) return true;

            var child = directory.Directories.FirstOrDefault(node => node.Name == name);
            if (child is null) return false;
            current = WireDigests.FromWire(child.Digest, root.Function, name);
        }

        return true;
    }

    /// <summary>Reads every directory that is not remembered as complete, level by level.</summary>
    private async ValueTask<Walk> DiscoverAsync(Digest root, CancellationToken cancellationToken)
    {
        var walk = new Walk();
        var level = new List<Digest> { root };
        var seen = new HashSet<Digest> { root };
        for (int depth = 1; level.Count > 0; depth++)
        {
            if (depth > _budget.DepthMax) throw TooBig($"it is deeper than {_budget.DepthMax} directories");

            var next = new List<Digest>();
            foreach (var batch in level.Chunk(ReadsAtOnce))
            {
                var directories = await Task.WhenAll(batch.Select(digest => ReadAsync(digest, cancellationToken).AsTask()));
                for (int i = 0; i < batch.Length; i++)
                {
                    if (directories[i] is not { } directory) walk.MissingDirectories.Add(batch[i]);
                    else Take(walk, batch[i], directory, child => { if (seen.Add(child)) next.Add(child); });
                }
            }

            level = next;
        }

        return walk;
    }

    private void Take(Walk walk, Digest digest, WireDirectory directory, Action<Digest> visit)
    {
        walk.Bytes += digest.SizeBytes;
        if (walk.Directories.Count >= _budget.DirectoriesMax) throw TooBig($"it has more than {_budget.DirectoriesMax} different directories");
        if (walk.Bytes > _budget.TreeBytesMax) throw TooBig($"its directories are larger than {_budget.TreeBytesMax} bytes");

        foreach (var file in directory.Files)
            walk.Files.Add(WireDigests.FromWire(file.Digest, digest.Function, file.Name));

        var children = new Digest[directory.Directories.Count];
        for (int i = 0; i < children.Length; i++)
        {
            var child = children[i] = WireDigests.FromWire(directory.Directories[i].Digest, digest.Function, directory.Directories[i].Name);
            // The empty directory exists like every empty blob; a remembered one needs no look.
            if (child.IsEmpty) continue;
            if (_memory.TryGet(child, out var summary)) walk.Remembered[child] = summary;
            else visit(child);
        }

        walk.Directories[digest] = new Node(children, directory.Files.Count + directory.Symlinks.Count);
    }

    private async ValueTask<IReadOnlyList<Digest>> FindMissingFilesAsync(Walk walk, CancellationToken cancellationToken)
    {
        var missingFiles = walk.Files.Count == 0 ? [] : await store.FindMissingAsync([.. walk.Files], cancellationToken);
        // A directory's blob may also stand among the files.
        return walk.MissingDirectories.Count == 0 ? missingFiles : [.. walk.MissingDirectories.Union(missingFiles)];
    }

    /// <summary>Counts paths from the leaves up, without recursion: the depth is the client's choice.</summary>
    private Dictionary<Digest, TreeSummary> Summarise(Digest root, Walk walk)
    {
        var done = new Dictionary<Digest, TreeSummary>(walk.Directories.Count);
        var entered = new HashSet<Digest>();
        var stack = new Stack<Digest>([root]);
        while (stack.TryPeek(out var digest))
        {
            var node = walk.Directories[digest];
            if (!done.ContainsKey(digest) && entered.Add(digest))
            {
                foreach (var child in node.Children)
                {
                    if (!walk.Directories.ContainsKey(child) || done.ContainsKey(child)) continue;
                    // Nobody finds a fixed point of SHA-256, but MD5 is served too.
                    if (entered.Contains(child)) throw RpcErrors.Invalid($"directory {child} contains itself");
                    stack.Push(child);
                }

                continue;
            }

            stack.Pop();
            if (done.ContainsKey(digest)) continue;

            var summary = Sum(node, walk, done);
            if (summary.Paths > _budget.PathsMax) throw TooBig($"it has more than {_budget.PathsMax} paths");
            if (summary.Depth > _budget.DepthMax) throw TooBig($"it is deeper than {_budget.DepthMax} directories");
            done[digest] = summary;
        }

        return done;
    }

    private static TreeSummary Sum(Node node, Walk walk, Dictionary<Digest, TreeSummary> done)
    {
        long paths = 1 + node.Leaves;
        int depth = 0;
        foreach (var child in node.Children)
        {
            var below = child.IsEmpty ? new TreeSummary(1, 1)
                : done.TryGetValue(child, out var known) ? known
                : walk.Remembered[child];
            // Each term is within the budget of some earlier directory, so the sum cannot overflow.
            paths += below.Paths;
            depth = Math.Max(depth, below.Depth);
        }

        return new TreeSummary(paths, depth + 1);
    }

    /// <summary>Null is a miss. What is here and is no canonical Directory is the client's mistake.</summary>
    private async ValueTask<WireDirectory?> ReadAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (digest.SizeBytes > _budget.DirectoryBytesMax) throw TooBig($"directory {digest} is larger than {_budget.DirectoryBytesMax} bytes");
        if (await store.ReadAllAsync(digest, _budget.DirectoryBytesMax, cancellationToken) is not { } blob) return null;

        var directory = WireMessages.Parse(WireDirectory.Parser, blob, digest);
        string? error = DirectoryChecks.Check(directory, digest.Function, options.AllowAbsoluteSymlinks);
        return error is null ? directory : throw RpcErrors.Invalid($"directory {digest}: {error}");
    }

    private static RpcException TooBig(string reason) =>
        RpcErrors.Of(StatusCode.ResourceExhausted, $"the input tree is too big: {reason}");

    private sealed record Node(Digest[] Children, int Leaves);

    /// <summary>What one walk has found so far.</summary>
    private sealed class Walk
    {
        public Dictionary<Digest, Node> Directories { get; } = [];

        public Dictionary<Digest, TreeSummary> Remembered { get; } = [];

        public HashSet<Digest> Files { get; } = [];

        public List<Digest> MissingDirectories { get; } = [];

        public long Bytes { get; set; }
    }
}
