using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Action results (REAPI 1.8).</summary>
internal static class ActionCacheChecks
{
    public static IEnumerable<Check> All =>
    [
        new("A1", "a result that nobody stored is NOT_FOUND", "NOT_FOUND", async peer => $"{(await peer.ResultAsync(Peer.Absent())).ExitCode}"),
        new("A1", "a result comes back as it was stored", "the output", async peer =>
        {
            var (action, output) = await PutAsync(peer);
            return (await peer.ResultAsync(action)).OutputFiles is [{ Path: "out/file" } file] && file.Digest.Equals(output.Digest) ? "the output" : "something else";
        }),
        new("A2", "nothing is inlined that nobody asked for", "0 and 0 bytes", async peer =>
        {
            var (action, _) = await PutAsync(peer);
            var result = await peer.ResultAsync(action);
            return $"{result.StdoutRaw.Length} and {result.OutputFiles[0].Contents.Length} bytes";
        }),
        new("A2", "stdout is inlined on request, or told by its digest", "the text", async peer =>
        {
            var (action, _) = await PutAsync(peer);
            return await peer.StdoutAsync(await peer.ResultAsync(action, request => request.InlineStdout = true)) == "written\n" ? "the text" : "something else";
        }),
        new("A2", "an output that is inlined on request is the output", "its bytes", async peer =>
        {
            var (action, output) = await PutAsync(peer);
            var file = (await peer.ResultAsync(action, request => request.InlineOutputFiles.Add("out/file"))).OutputFiles[0];
            return !file.Digest.Equals(output.Digest) ? "another digest" : file.Contents.Length == 0 || file.Contents.Span.SequenceEqual(output.Content) ? "its bytes" : "other bytes";
        }),
        new("A3", "a result whose output is absent is refused, and the absent blob is named", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            var absent = Peer.Absent();
            return await RefusedAsync(peer, new ActionResult { OutputFiles = { new OutputFile { Path = "a", Digest = absent } } }, $"MISSING blobs/{Peer.Path(absent)}");
        }),
        new("A3", "a result whose tree has an absent file is refused, and the absent blob is named", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            var absent = Peer.Absent();
            var tree = await peer.StoreAsync(new Tree { Root = new WireDirectory { Files = { Trees.File("f", absent) } } });
            return await RefusedAsync(peer, new ActionResult { OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = tree.Digest } } }, $"MISSING blobs/{Peer.Path(absent)}");
        }) { IsOurChoice = true },
        new("A3", "a result without its action's digest is refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            await peer.Results.UpdateActionResultAsync(new UpdateActionResultRequest { InstanceName = peer.Instance, ActionResult = new ActionResult() });
            return "OK";
        }),
        new("A3", "who may not write is told so, by what is announced and by the call", "PERMISSION_DENIED", async peer =>
        {
            if ((await peer.CacheAsync()).ActionCacheUpdateCapabilities is { UpdateEnabled: true })
                throw new NotOfferedException("this one may, and the other checks ask it to");
            await peer.PutResultAsync(Peer.Absent(), new ActionResult());
            return "OK";
        }),
        new("A4", "a result of an action that nobody stored is taken", "it comes back", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            var (output, action) = (await peer.StoreAsync(Peer.Random(10)), Peer.Absent());
            await peer.PutResultAsync(action, new ActionResult { OutputFiles = { new OutputFile { Path = "a", Digest = output.Digest } } });
            return (await peer.ResultAsync(action)).OutputFiles.Count == 1 ? "it comes back" : "something else";
        }),
        new("A5", "a result is never empty on the wire", "not empty", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            var action = Peer.Absent();
            await peer.PutResultAsync(action, new ActionResult());
            return (await peer.ResultAsync(action)).CalculateSize() > 0 ? "not empty" : "empty";
        }),
        new("A6", "results come back that are to be kept for less, as all others, and longer", "three", async peer =>
        {
            await peer.RequireCacheWritesAsync();
            int back = 0;
            foreach (int priority in (int[])[1, 0, -1])
            {
                var (output, action) = (await peer.StoreAsync(Peer.Random(10)), Peer.Absent());
                await peer.Results.UpdateActionResultAsync(new UpdateActionResultRequest
                {
                    InstanceName = peer.Instance,
                    ActionDigest = action,
                    ActionResult = new ActionResult { OutputFiles = { new OutputFile { Path = "a", Digest = output.Digest } } },
                    ResultsCachePolicy = new ResultsCachePolicy { Priority = priority },
                });
                back += (await peer.ResultAsync(action)).OutputFiles.Count;
            }

            return back == 3 ? "three" : $"{back}";
        }),
        new("A7", "a run that failed is not answered as a hit", "NOT_FOUND", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 3"));
            return $"exit code {(await peer.ResultAsync(ran.Action)).ExitCode}";
        }),
        new("A7", "a run with do_not_cache is not cached", "NOT_FOUND", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0").With(draft => draft.Action.DoNotCache = true));
            return $"exit code {(await peer.ResultAsync(ran.Action)).ExitCode}";
        }),
        new("A7", "a run that succeeded is cached", "exit code 0", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            return $"exit code {(await peer.ResultAsync(ran.Action)).ExitCode}";
        }),
    ];

    private static async Task<(WireDigest Action, Blob Output)> PutAsync(Peer peer)
    {
        await peer.RequireCacheWritesAsync();
        var draft = new ActionDraft("exit 0");
        var action = await peer.StoreAsync(draft);
        var output = await peer.StoreAsync(Peer.Random(1000));
        var stdout = await peer.StoreAsync("written\n"u8.ToArray());
        await peer.PutResultAsync(action, new ActionResult
        {
            OutputFiles = { new OutputFile { Path = "out/file", Digest = output.Digest } },
            StdoutDigest = stdout.Digest,
        });
        return (action, output);
    }

    private static async Task<string> RefusedAsync(Peer peer, ActionResult result, string violation)
    {
        try
        {
            await peer.PutResultAsync(Peer.Absent(), result);
            return "OK";
        }
        catch (RpcException failure)
        {
            return $"{StatusNames.Of(failure.StatusCode)}, {(Peer.Violations(failure).Contains(violation) ? "MISSING" : "without the MISSING violation")}";
        }
    }
}
