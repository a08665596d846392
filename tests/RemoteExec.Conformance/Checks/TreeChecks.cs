using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Conformance;

/// <summary>GetTree (REAPI C5).</summary>
internal static class TreeChecks
{
    private const int Folders = 30;

    public static IEnumerable<Check> All =>
    [
        new("C5", "all directories come, the root among them", $"{Folders + 1}", async peer =>
            $"{(await Trees.AllAsync(peer, (await Trees.StoreFoldersAsync(peer, Folders)).Digest)).Distinct().Count()}"),
        new("C5", "a root that is absent is NOT_FOUND", "NOT_FOUND", async peer => $"{(await Trees.AllAsync(peer, Peer.Absent())).Count}"),
        new("C5", "what is absent further down is left out", "1", async peer =>
        {
            var root = await peer.StoreAsync(new WireDirectory { Directories = { Trees.Folder("gone", Peer.Absent()) } });
            return $"{(await Trees.AllAsync(peer, root.Digest)).Count}";
        }),
        new("C5", "a page is not larger than asked for", "at most 7", async peer =>
        {
            var root = await Trees.StoreFoldersAsync(peer, Folders);
            var pages = await Trees.PagesAsync(peer, new GetTreeRequest { InstanceName = peer.Instance, RootDigest = root.Digest, PageSize = 7 });
            return pages.Max(page => page.Directories.Count) <= 7 ? "at most 7" : $"{pages.Max(page => page.Directories.Count)}";
        }),
        new("C5", "a token goes on where its page ended, each time the same", "the rest, twice", async peer =>
        {
            var root = await Trees.StoreFoldersAsync(peer, Folders);
            var request = new GetTreeRequest { InstanceName = peer.Instance, RootDigest = root.Digest, PageSize = 7 };
            var pages = await Trees.PagesAsync(peer, request);
            if (pages.FirstOrDefault(page => page.NextPageToken.Length > 0) is not { } first) return "no token";

            request.PageToken = first.NextPageToken;
            var (once, twice) = (await Trees.PagesAsync(peer, request), await Trees.PagesAsync(peer, request));
            if (!Directories(once).SequenceEqual(Directories(twice))) return "another rest each time";
            int before = pages.TakeWhile(page => page != first).Sum(page => page.Directories.Count) + first.Directories.Count;
            return Directories(once).SequenceEqual(Directories(pages).Skip(before).Take(Directories(once).Count)) ? "the rest, twice" : "something else";
        }),
        new("C5", "the last page has no token", "none", async peer =>
        {
            var root = await Trees.StoreFoldersAsync(peer, Folders);
            var request = new GetTreeRequest { InstanceName = peer.Instance, RootDigest = root.Digest };
            // A server may end the stream behind a page, and go on by its token.
            for (int i = 0; i < Folders + 2; i++)
            {
                string token = (await Trees.PagesAsync(peer, request))[^1].NextPageToken;
                if (token.Length == 0) return "none";
                request.PageToken = token;
            }

            return "tokens without end";
        }),
        new("C5", "a negative page size is refused", "INVALID_ARGUMENT", async peer => await OddAsync(peer, request => request.PageSize = -1)),
        new("C5", "a token that is none is refused", "INVALID_ARGUMENT", async peer => await OddAsync(peer, request => request.PageToken = "no token of yours")),
    ];

    private static async Task<string> OddAsync(Peer peer, Action<GetTreeRequest> change)
    {
        var root = await Trees.StoreFoldersAsync(peer, 3);
        var request = new GetTreeRequest { InstanceName = peer.Instance, RootDigest = root.Digest };
        change(request);
        return $"{(await Trees.PagesAsync(peer, request)).Count} pages";
    }

    private static List<WireDirectory> Directories(IEnumerable<GetTreeResponse> pages) => [.. pages.SelectMany(page => page.Directories)];
}
