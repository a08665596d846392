using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// A tree for GetTree (REAPI C5): breadth first, each distinct directory once, absent ones below the root left out.
/// A page token is the digest of the last directory sent: the walk is the same every time, so it continues behind that one.
/// What explodes when somebody makes it (TRUST H7) is refused, at the latest in the place of its last page: by then all of it was seen.
/// </summary>
internal sealed class TreePages(IBlobStore store, ServicesOptions options)
{
    // Directories are small; a page of a thousand is about 300 KiB.
    private const int PageDirectoriesMax = 1000;

    // Tag and length of one directory.
    private const int FramingBytes = 6;

    private readonly DirectoryWalk _walk = store.Walk(options.Limits.Tree, DirectoryUse.Listing);

    public async Task SendAsync(
        Digest root, int pageSize, string pageToken, PageRoom room, Func<GetTreeResponse, Task> send, CancellationToken cancellationToken)
    {
        if (pageSize < 0) throw RpcErrors.InvalidField("page_size", $"page_size is {pageSize}");
        var resumeAfter = ParseToken(pageToken, root.Function);
        int directoriesMax = pageSize == 0 ? PageDirectoriesMax : Math.Min(pageSize, PageDirectoriesMax);

        var page = new GetTreeResponse();
        long pageBytes = 0;
        var last = root;
        bool isSending = resumeAfter is null;
        var sums = new TreeSums(options.Limits.Tree);
        await foreach (var found in _walk.DistinctAsync(root, isKnown: null, cancellationToken))
        {
            sums.Add(found);
            var (digest, directory, _) = found;
            if (directory is null)
            {
                if (digest == root) throw RpcErrors.NotFound("directory", digest.ToString());
                continue;
            }

            if (!isSending)
            {
                isSending = digest == resumeAfter;
                continue;
            }

            long bytes = digest.SizeBytes + FramingBytes;
            if (page.Directories.Count > 0
                && (page.Directories.Count == directoriesMax || pageBytes + bytes > options.BatchBytesMax || !room.TryGrow(pageBytes + bytes)))
            {
                page.NextPageToken = last.ToString();
                await send(page);
                page = new GetTreeResponse();
                pageBytes = 0;
                room.Release();
            }

            await room.GrowAsync(pageBytes + bytes, cancellationToken);
            page.Directories.Add(directory);
            pageBytes += bytes;
            last = digest;
        }

        sums.Sum(root);
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
}
