using System.Runtime.CompilerServices;
using Grpc.Core;

namespace RemoteExec.Protocol;

/// <summary>
/// The ways through a tree of Directories, for everybody who takes one. A tree is a graph: <see cref="DistinctAsync"/> visits
/// what is stored, <see cref="ExpandAsync"/> what it describes, which may be without end: whoever expands has summed before
/// (<see cref="TreeSums"/>), or stops.
/// </summary>
/// <param name="read">Where it gets its Directories from: a store, a cache, a Tree. Null is a miss.</param>
public sealed class DirectoryWalk(Func<Digest, CancellationToken, ValueTask<WireDirectory?>> read, TreeLimits limits)
{
    // Reads of one level in flight: hides the latency of a remote store. Bounded in bytes too, because a reader may be slow.
    private const int ReadsAtOnce = 16;
    private const long ReadBytesAtOnce = 16 << 20;

    /// <summary>
    /// Each distinct Directory once, breadth first: the same order every time. An absent one does not end the walk, what hangs
    /// below it cannot be known (REAPI E2: everything that is missing is told at once).
    /// </summary>
    /// <param name="isKnown">Directories, below the root, that need no look.</param>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a malformed digest, RESOURCE_EXHAUSTED beyond the limits.</exception>
    public async IAsyncEnumerable<FoundDirectory> DistinctAsync(
        Digest root, Func<Digest, bool>? isKnown, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<Digest> { root };
        long bytes = 0;
        List<Digest> level = [root], next = [];
        for (int depth = 1; level.Count > 0; depth++)
        {
            if (depth > limits.DepthMax) throw TooBig($"it is deeper than {limits.DepthMax} directories");

            for (int start = 0, end; start < level.Count; start = end)
            {
                end = EndOfBatch(level, start);
                var messages = await ReadManyAsync(level, start, end, cancellationToken);
                for (int i = start; i < end; i++)
                {
                    bytes += level[i].SizeBytes;
                    if (bytes > limits.DirectoriesBytesMax) throw TooBig($"its directories are larger than {limits.DirectoriesBytesMax} bytes");

                    var children = messages[i - start] is { } message ? ChildrenOf(message, level[i]) : [];
                    foreach (var child in children)
                    {
                        if (isKnown?.Invoke(child) == true || !seen.Add(child)) continue;
                        if (seen.Count > limits.DirectoriesMax) throw TooBig($"it has more than {limits.DirectoriesMax} different directories");
                        next.Add(child);
                    }

                    yield return new FoundDirectory(level[i], messages[i - start], children);
                }
            }

            (level, next) = (next, level);
            next.Clear();
        }
    }

    /// <summary>Every directory that the tree describes, as often as it has paths: depth first, parents before what they hold.</summary>
    public async IAsyncEnumerable<DirectoryAt> ExpandAsync(Digest root, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var pending = new Stack<(string Path, Digest Digest)>();
        pending.Push(("", root));
        while (pending.TryPop(out var next))
        {
            var directory = new DirectoryAt(next.Path, await ReadAsync(next.Digest, cancellationToken));
            yield return directory;
            if (directory.Message is not { } message) continue;

            var children = ChildrenOf(message, next.Digest);
            for (int i = children.Length - 1; i >= 0; i--)
                pending.Push((directory.Join(message.Directories[i].Name), children[i]));
        }
    }

    internal static RpcException TooBig(string reason) => RpcErrors.Of(StatusCode.ResourceExhausted, $"the tree is too big: {reason}");

    private static int EndOfBatch(List<Digest> level, int start)
    {
        long bytes = level[start].SizeBytes;
        int end = start + 1;
        while (end < level.Count && end - start < ReadsAtOnce && (bytes += level[end].SizeBytes) <= ReadBytesAtOnce) end++;
        return end;
    }

    private async ValueTask<WireDirectory?[]> ReadManyAsync(List<Digest> level, int start, int end, CancellationToken cancellationToken)
    {
        var messages = new WireDirectory?[end - start];
        List<Task>? waiting = null;
        for (int i = 0; i < messages.Length; i++)
        {
            var reading = ReadAsync(level[start + i], cancellationToken);
            if (reading.IsCompletedSuccessfully) messages[i] = reading.Result;
            else (waiting ??= []).Add(FillAsync(messages, i, reading));
        }

        // All of them, also when one fails: nothing goes on reading behind its walk's back.
        if (waiting is not null) await Task.WhenAll(waiting);
        return messages;
    }

    private static async Task FillAsync(WireDirectory?[] messages, int index, ValueTask<WireDirectory?> reading) =>
        messages[index] = await reading;

    private async ValueTask<WireDirectory?> ReadAsync(Digest digest, CancellationToken cancellationToken)
    {
        // On its name: reading first would let a name fill our memory.
        if (digest.SizeBytes > limits.DirectoryBytesMax) throw TooBig($"directory {digest} is larger than {limits.DirectoryBytesMax} bytes");
        return await read(digest, cancellationToken);
    }

    private static Digest[] ChildrenOf(WireDirectory directory, Digest digest)
    {
        if (directory.Directories.Count == 0) return [];
        var children = new Digest[directory.Directories.Count];
        for (int i = 0; i < children.Length; i++)
            children[i] = WireDigests.FromWire(directory.Directories[i].Digest, digest.Function, directory.Directories[i].Name);
        return children;
    }
}
