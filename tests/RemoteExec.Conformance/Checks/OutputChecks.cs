using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What comes of what a command wrote (REAPI X4–X11, X16).</summary>
internal static class OutputChecks
{
    public static IEnumerable<Check> All =>
    [
        new("X4", "outputs are relative to the working directory", "there", async peer =>
        {
            var ran = await RunAsync(peer, "printf there > out", draft =>
            {
                draft.Root.Directories.Add(Trees.Folder("work", Blob.Of([]).Digest));
                draft.Command.WorkingDirectory = "work";
            }, "out");
            return await peer.OutputAsync(ran.Result, "out");
        }),
        new("X5", "parents of outputs are made, the outputs are not", "made, not made", async peer =>
        {
            var ran = await RunAsync(peer, "test -d a/b && printf 'made, '; test -e a/b/out || printf 'not made'", draft => draft.Request.InlineStdout = true, "a/b/out");
            return await peer.StdoutAsync(ran.Result);
        }),
        new("X5", "output_paths wins over the older lists", "new", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > new; printf x > old", draft => draft.Command.OutputFiles.Add("old"), "new");
            return string.Join(" ", ran.Result.OutputFiles.Select(file => file.Path));
        }),
        new("X5", "the older list of files is honoured", "old", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > old", draft => draft.Command.OutputFiles.Add("old"));
            return string.Join(" ", ran.Result.OutputFiles.Select(file => file.Path));
        }),
        new("X6", "a directory where the older list says file is FAILED_PRECONDITION", "FAILED_PRECONDITION", async peer =>
            (await RunAsync(peer, "mkdir out", draft => draft.Command.OutputFiles.Add("out"))).StatusName),
        new("X6", "a file where the older list says directory is FAILED_PRECONDITION", "FAILED_PRECONDITION", async peer =>
            (await RunAsync(peer, "rm -rf out; printf x > out", draft => draft.Command.OutputDirectories.Add("out"))).StatusName),
        new("X6", "an output that was not written is left out, and no error", "OK, 0", async peer =>
        {
            var ran = await RunAsync(peer, "exit 0", null, "out");
            return $"{ran.StatusName}, {ran.Result.OutputFiles.Count}";
        }),
        new("X7", "an output directory called '' is the whole working directory", "f", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > f", draft => draft.Command.OutputDirectories.Add(""));
            return ran.Result.OutputDirectories is [{ Path: "" } directory]
                ? string.Join(" ", (await TreeAsync(peer, directory)).Root.Files.Select(file => file.Name)) : $"{ran.Result.OutputDirectories.Count} directories";
        }),
        new("X8", "a file has its bytes and its executable bit", "plain run*", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > plain; printf x > run; chmod +x run", null, "plain", "run");
            return string.Join(" ", ran.Result.OutputFiles.OrderBy(file => file.Path).Select(file => file.Path + (file.IsExecutable ? "*" : "")));
        }),
        new("X8", "a directory is a Tree of what is in it", "f d/g", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out/d; printf x > out/f; printf x > out/d/g", null, "out");
            var tree = await TreeAsync(peer, ran.Result.OutputDirectories.Single());
            return $"{tree.Root.Files.Single().Name} {tree.Root.Directories.Single().Name}/{tree.Children.Single().Files.Single().Name}";
        }),
        new("X8", "a link is reported as a link, for new clients and for old", "l -> f, l -> f", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > f; ln -s f l", null, "f", "l");
            return $"{Link(ran.Result.OutputSymlinks)}, {Link([.. ran.Result.OutputFileSymlinks, .. ran.Result.OutputDirectorySymlinks])}";
        }),
        new("X9", "a link to nowhere is legal, and left as it is", "l -> nowhere", async peer =>
            Link((await RunAsync(peer, "ln -s nowhere l", null, "l")).Result.OutputSymlinks)),
        new("X9", "an absolute link is kept or refused, as announced", "as announced", async peer =>
        {
            var ran = await RunAsync(peer, "ln -s /etc/passwd l", null, "l");
            bool isAllowed = (await peer.CacheAsync()).SymlinkAbsolutePathStrategy == SymlinkAbsolutePathStrategy.Types.Value.Allowed;
            return isAllowed ? Link(ran.Result.OutputSymlinks).Replace("l -> /etc/passwd", "as announced", StringComparison.Ordinal)
                : ran.Status == StatusCode.FailedPrecondition ? "as announced" : ran.StatusName;
        }),
        new("X10", "a directory is stored as directories on request, and its Tree is there too", "both", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out/d; printf x > out/d/g", draft => draft.Command.OutputDirectoryFormat = WireCommand.Types.OutputDirectoryFormat.TreeAndDirectory, "out");
            var directory = ran.Result.OutputDirectories.Single();
            if (directory.RootDirectoryDigest is null) return "no root_directory_digest";
            var tree = await TreeAsync(peer, directory);
            return Blob.Of(tree.Root).Digest.Equals(directory.RootDirectoryDigest) && (await Trees.AllAsync(peer, directory.RootDirectoryDigest)).Count == 2 ? "both" : "another root";
        }),
        new("X10", "the root that is named beside a Tree, where it is, is that of the Tree", "its root", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out/d; printf x > out/d/g", draft => draft.Command.OutputDirectoryFormat = WireCommand.Types.OutputDirectoryFormat.TreeOnly, "out");
            var directory = ran.Result.OutputDirectories.Single();
            var tree = await TreeAsync(peer, directory);
            return directory.RootDirectoryDigest is null || Blob.Of(tree.Root).Digest.Equals(directory.RootDirectoryDigest) ? "its root" : "another root";
        }),
        new("X10", "a directory is stored as directories alone on request, or with its Tree", "they are there", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out/d; printf x > out/d/g", draft => draft.Command.OutputDirectoryFormat = WireCommand.Types.OutputDirectoryFormat.DirectoryOnly, "out");
            var root = ran.Result.OutputDirectories.Single().RootDirectoryDigest;
            return root is null ? "no root_directory_digest" : (await Trees.AllAsync(peer, root)).Count == 2 ? "they are there" : "something else is there";
        }),
        new("X10", "a format that is not known is a Tree", "a Tree", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out", draft => draft.Command.OutputDirectoryFormat = (WireCommand.Types.OutputDirectoryFormat)77, "out");
            return ran.Result.OutputDirectories.Single().TreeDigest is null ? "none" : "a Tree";
        }),
        new("X11", "where a Tree says that it is sorted, parents come before children, each once", "sorted", async peer =>
        {
            var ran = await RunAsync(peer, "mkdir -p out/a/b/c out/x/b/c", null, "out");
            var directory = ran.Result.OutputDirectories.Single();
            if (!directory.IsTopologicallySorted) throw new NotOfferedException("is_topologically_sorted is false");
            return IsSorted(await TreeAsync(peer, directory)) ? "sorted" : "not sorted";
        }),
        new("X11", "equal directories make equal Trees", "equal", async peer =>
        {
            const string script = "mkdir -p out/b out/a; printf x > out/a/f; printf x > out/b/f";
            var (first, second) = (await RunAsync(peer, script, null, "out"), await RunAsync(peer, script, null, "out"));
            return first.Result.OutputDirectories.Single().TreeDigest.Equals(second.Result.OutputDirectories.Single().TreeDigest) ? "equal" : "different";
        }),
        new("X13", "an output has the properties that are asked for", "mode 640, time 1000000000", async peer =>
        {
            await peer.RequirePropertyAsync("mtime");
            await peer.RequirePropertyAsync("unix_mode");
            // 2001-09-09 01:46:40 UTC
            var ran = await RunAsync(peer, "printf x > f; chmod 640 f; TZ=UTC touch -t 200109090146.40 f", draft => draft.Command.OutputNodeProperties.AddRange(["mtime", "unix_mode"]), "f");
            var properties = ran.Result.OutputFiles.Single().NodeProperties;
            return $"mode {Convert.ToString(properties?.UnixMode ?? 0, 8)[^3..]}, time {properties?.Mtime?.Seconds}";
        }),
        new("X12", "an input has the properties that are set", "640 2001", async peer =>
        {
            await peer.RequirePropertyAsync("mtime");
            await peer.RequirePropertyAsync("unix_mode");
            var blob = Blob.Of("x"u8.ToArray());
            var ran = await RunAsync(peer, "ls -ln --time-style=+%Y f | while read mode links user group size year rest; do test $mode = -rw-r----- && printf '640 %s' $year; done", draft =>
            {
                draft.Inputs.Add(blob);
                var file = Trees.File("f", blob.Digest);
                file.NodeProperties = new NodeProperties { UnixMode = Convert.ToUInt32("640", 8), Mtime = new Google.Protobuf.WellKnownTypes.Timestamp { Seconds = 1_000_000_000 } };
                draft.Root.Files.Add(file);
                draft.Request.InlineStdout = true;
            });
            return await peer.StdoutAsync(ran.Result);
        }),
        new("X16", "what a result names can be read when the result is told", "0 missing", async peer =>
        {
            var ran = await RunAsync(peer, "printf x > a; printf y > b; mkdir d; printf z > d/f; printf said", null, "a", "b", "d");
            var tree = await TreeAsync(peer, ran.Result.OutputDirectories.Single());
            WireDigest[] named = [.. ran.Result.OutputFiles.Select(file => file.Digest), .. tree.Root.Files.Select(file => file.Digest), ran.Result.StdoutDigest];
            return $"{(await peer.MissingAsync([.. named.Where(digest => digest is not null)])).Count} missing";
        }),
    ];

    private static async Task<Run> RunAsync(Peer peer, string script, Action<ActionDraft>? change, params string[] outputs) =>
        await peer.RunOfferedAsync(new ActionDraft(script).With(draft =>
        {
            draft.Command.OutputPaths.AddRange(outputs);
            change?.Invoke(draft);
        }));

    private static async Task<Tree> TreeAsync(Peer peer, OutputDirectory directory) => Tree.Parser.ParseFrom(await peer.ReadAsync(directory.TreeDigest));

    private static string Link(IEnumerable<OutputSymlink> links) => string.Join(" ", links.Select(link => $"{link.Path} -> {link.Target}"));

    private static bool IsSorted(Tree tree)
    {
        var known = new HashSet<WireDigest>(tree.Root.Directories.Select(child => child.Digest));
        var seen = new HashSet<WireDigest>();
        foreach (var child in tree.Children)
        {
            var digest = Blob.Of(child).Digest;
            if (!known.Contains(digest) || !seen.Add(digest)) return false;
            known.UnionWith(child.Directories.Select(below => below.Digest));
        }

        return seen.SetEquals(known);
    }
}
