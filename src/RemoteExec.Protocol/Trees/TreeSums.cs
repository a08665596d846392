using System.Text;
using Grpc.Core;

namespace RemoteExec.Protocol;

/// <summary>
/// Adds a walked tree up, from the leaves to the root: what it amounts to is known without expanding it, so sixty blobs that
/// describe 2^60 paths cost sixty sums. Without recursion, because the depth is the client's choice.
/// </summary>
public sealed class TreeSums(TreeLimits limits)
{
    private readonly Dictionary<Digest, Node> _nodes = [];
    private readonly Dictionary<Digest, TreeSummary> _known = [];
    private readonly Dictionary<Digest, TreeSummary> _done = [];

    /// <summary>Every directory that was summed, with what it amounts to.</summary>
    public IReadOnlyDictionary<Digest, TreeSummary> Summaries => _done;

    /// <summary>Takes a directory of the walk; an absent one counts as empty.</summary>
    public void Add(in FoundDirectory found)
    {
        if (found.Message is { } message) _nodes[found.Digest] = Node.Of(message, found.Children, limits.FileBytesMax);
    }

    /// <summary>Takes the sum of a directory that the walk left out, from an earlier walk by the same limits.</summary>
    public void Know(Digest directory, TreeSummary summary) => _known[directory] = summary;

    /// <exception cref="RpcException">
    /// RESOURCE_EXHAUSTED beyond the limits; INVALID_ARGUMENT for what no file system holds: a path that is too long, a
    /// directory in itself.
    /// </exception>
    public TreeSummary Sum(Digest root)
    {
        var entered = new HashSet<Digest>();
        var stack = new Stack<Digest>([root]);
        while (stack.TryPeek(out var digest))
        {
            if (_done.ContainsKey(digest) || !_nodes.TryGetValue(digest, out var node))
            {
                stack.Pop();
            }
            else if (entered.Add(digest))
            {
                foreach (var child in node.Children)
                {
                    if (_done.ContainsKey(child) || !_nodes.ContainsKey(child)) continue;
                    // Nobody finds a fixed point of SHA-256, but MD5 is served too.
                    if (entered.Contains(child)) throw RpcErrors.Invalid($"directory {child} contains itself");
                    stack.Push(child);
                }
            }
            else
            {
                _done[digest] = Checked(Sum(node), digest);
                stack.Pop();
            }
        }

        return SummaryOf(root);
    }

    private TreeSummary Sum(Node node)
    {
        var sum = node.Own;
        for (int i = 0; i < node.Children.Count; i++)
        {
            var below = SummaryOf(node.Children[i]);
            int pathBytes = node.ChildNameBytes[i] + (below.PathBytes == 0 ? 0 : 1 + below.PathBytes);
            // Each term is within the limits, so no sum of what one message holds can overflow.
            sum = new TreeSummary(
                sum.Entries + 1 + below.Entries,
                Math.Max(sum.Depth, below.Depth + 1),
                Math.Max(sum.PathBytes, pathBytes),
                sum.FileBytes + below.FileBytes);
        }

        return sum;
    }

    private TreeSummary SummaryOf(Digest digest) =>
        _done.TryGetValue(digest, out var summary) || _known.TryGetValue(digest, out summary) ? summary : TreeSummary.Empty;

    private TreeSummary Checked(TreeSummary sum, Digest digest)
    {
        if (sum.Entries > limits.EntriesMax) throw DirectoryWalk.TooBig($"it has more than {limits.EntriesMax} entries");
        if (sum.Depth > limits.DepthMax) throw DirectoryWalk.TooBig($"it is deeper than {limits.DepthMax} directories");
        if (sum.FileBytes > limits.FileBytesMax) throw DirectoryWalk.TooBig($"its files are larger than {limits.FileBytesMax} bytes together");
        if (sum.PathBytes > limits.PathBytesMax)
            throw RpcErrors.Invalid($"directory {digest}: a path below it has {sum.PathBytes} bytes, a path of more than {limits.PathBytesMax} cannot be made");
        return sum;
    }

    /// <summary>What of a message is kept until it can be summed: numbers, where the message would be names.</summary>
    private sealed record Node(TreeSummary Own, IReadOnlyList<Digest> Children, int[] ChildNameBytes)
    {
        public static Node Of(WireDirectory directory, IReadOnlyList<Digest> children, long fileBytesMax)
        {
            int longest = 0;
            long fileBytes = 0;
            foreach (var file in directory.Files)
            {
                longest = Math.Max(longest, Encoding.UTF8.GetByteCount(file.Name));
                // One byte too many is as good as an exabyte, and does not overflow.
                fileBytes += Math.Min(file.Digest?.SizeBytes ?? 0, fileBytesMax + 1);
            }

            foreach (var link in directory.Symlinks)
                longest = Math.Max(longest, Encoding.UTF8.GetByteCount(link.Name));

            var own = new TreeSummary(directory.Files.Count + directory.Symlinks.Count, Depth: 1, longest, fileBytes);
            return new Node(own, children, [.. directory.Directories.Select(child => Encoding.UTF8.GetByteCount(child.Name))]);
        }
    }
}
