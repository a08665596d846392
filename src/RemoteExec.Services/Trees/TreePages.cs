using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Walks a tree for GetTree (REAPI C5): breadth first, each distinct directory once, absent ones below the root left out.
/// A page token is the digest of the last directory sent: the walk is the same every time, so it continues behind that one.
/// </summary>
internal sealed class TreePages(IBlobStore store, ServicesOptions options)
{
    // Directories are small; a page of a thousand is about 300 KiB.
    private const int PageDirectoriesMax = 1000;

    public async Task SendAsync(
        Digest root, int pageSize, string pageToken, Func<GetTreeResponse, Task> send, CancellationToken cancellationToken)
    {
        if (pageSize < 0) throw RpcErrors.InvalidField("page_size", $"page_size is {pageSize}");
        var resumeAfter = ParseToken(pageToken, root.Function);
        int directoriesMax = pageSize == 0 ? PageDirectoriesMax : Math.Min(pageSize, PageDirectoriesMax);

        var page = new GetTreeResponse();
        long pageBytes = 0;
        var last = root;
        bool isSending = resumeAfter is null;
        await foreach (var (digest, directory) in WalkAsync(root, cancellationToken))
        {
            if (!isSending)
            {
                isSending = digest == resumeAfter;
                continue;
            }

            bool isFull = page.Directories.Count == directoriesMax || pageBytes + digest.SizeBytes > options.BatchBytesMax;
            if (isFull && page.Directories.Count > 0)
            {
                page.NextPageToken = last.ToString();
                await send(page);
                page = new GetTreeResponse();
                pageBytes = 0;
            }

            page.Directories.Add(directory);
            pageBytes += digest.SizeBytes;
            last = digest;
        }

        if (!isSending) throw RpcErrors.InvalidField("page_token", "page_token is not from this tree");
        await send(page);
    }

    private static Digest? ParseToken(string token, DigestFunction function)
    {
        if (token.Length == 0) return null;
        string text = RemoteExec.Core.DigestFunctions.IsNamedInResources(function) ? token[(token.IndexOf('/', StringComparison.Ordinal) + 1)..] : token;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        return slash > 0
            && long.TryParse(text.AsSpan(slash + 1), out long sizeBytes)
            && Digest.TryParse(function, text.AsSpan(0, slash), sizeBytes, out var digest, out _)
                ? digest
                : throw RpcErrors.InvalidField("page_token", "page_token is not one of ours");
    }

    private async IAsyncEnumerable<(Digest Digest, WireDirectory Directory)> WalkAsync(
        Digest root, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var budget = options.TreeBudget;
        var seen = new HashSet<Digest> { root };
        var queue = new Queue<Digest>(seen);
        while (queue.TryDequeue(out var digest))
        {
            if (await store.ReadAllAsync(digest, budget.DirectoryBytesMax, cancellationToken) is not { } blob)
            {
                if (digest == root) throw RpcErrors.NotFound("directory", digest.ToString());
                continue;
            }

            var directory = WireMessages.Parse(WireDirectory.Parser, blob, digest);
            foreach (var child in directory.Directories)
            {
                var childDigest = WireDigests.FromWire(child.Digest, root.Function, child.Name);
                if (seen.Count > budget.DirectoriesMax)
                    throw new RpcException(new Status(StatusCode.ResourceExhausted, $"the tree has more than {budget.DirectoriesMax} directories"));
                if (seen.Add(childDigest)) queue.Enqueue(childDigest);
            }

            yield return (digest, directory);
        }
    }
}
