using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What Execute takes and refuses (REAPI E1–E4, X1, X4, X12–X13).</summary>
internal static class ExecuteRequestChecks
{
    private static readonly TimeSpan Decade = TimeSpan.FromDays(3653);

    public static IEnumerable<Check> All =>
    [
        new("E1", "an absent action is told before anything else of it", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            var absent = Peer.Absent();
            return await MissingAsync(peer, absent, absent);
        }),
        new("E2", "an absent command is named", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            var absent = Peer.Absent();
            return await MissingAsync(peer, await peer.StoreAsync(new ActionDraft("exit 0").With(draft => draft.Action.CommandDigest = absent)), absent);
        }),
        new("E2", "an absent input root is named", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            var absent = Peer.Absent();
            return await MissingAsync(peer, await peer.StoreAsync(new ActionDraft("exit 0").With(draft => draft.Action.InputRootDigest = absent)), absent);
        }),
        new("E2", "all inputs that are absent are named at once", "FAILED_PRECONDITION, MISSING", async peer =>
        {
            WireDigest[] absent = [Peer.Absent(), Peer.Absent(), Peer.Absent()];
            var action = await peer.StoreAsync(new ActionDraft("exit 0").With(draft => draft.Root.Files.AddRange(absent.Select((digest, i) => Trees.File($"f{i}", digest)))));
            return await MissingAsync(peer, action, absent);
        }),
        new("E2", "an input that was absent is uploaded, and the action runs", "OK", async peer =>
        {
            await peer.RequireExecutionAsync();
            var late = Blob.Of(Peer.Random(100));
            var action = await peer.StoreAsync(new ActionDraft("test -s f").With(draft => draft.Root.Files.Add(Trees.File("f", late.Digest))));
            await MissingAsync(peer, action, late.Digest);
            await peer.StoreAsync([late]);
            return (await peer.RunAsync(action)).StatusName;
        }),
        new("E3", "an action that is no message is refused", "INVALID_ARGUMENT", async peer => await RefusedAsync(peer, (await peer.StoreAsync([0xFF, 0xFF, 0xFF])).Digest)),
        new("E3", "a command without a program is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Command.Arguments.Clear())),
        new("E3", "a function that is not announced is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Request.DigestFunction = WireDigestFunction.Murmur3)),
        new("E3", "an absolute link among the inputs is refused where absolute links are disallowed", "INVALID_ARGUMENT", async peer =>
        {
            if ((await peer.CacheAsync()).SymlinkAbsolutePathStrategy == SymlinkAbsolutePathStrategy.Types.Value.Allowed) throw new NotOfferedException("absolute links are allowed");
            return await RefusedAsync(peer, draft => draft.Root.Symlinks.Add(Trees.Link("l", "/etc/passwd")));
        }),
        new("E4", "a platform that no worker has is refused, or waited for", "FAILED_PRECONDITION or INVALID_ARGUMENT or UNAVAILABLE or it waits", async peer =>
        {
            await peer.RequireExecutionAsync();
            var draft = new ActionDraft("exit 0").With(each => each.Action.Platform = new WirePlatform
            {
                Properties = { new WirePlatform.Types.Property { Name = "no-such-property", Value = $"{Guid.NewGuid()}" } },
            });
            return await WriteChecks.SeenAsync(async () =>
            {
                using var call = peer.Execute(await peer.StoreAsync(draft));
                if (!await call.ResponseStream.MoveNext(peer.Deadline)) return "nothing";
                var first = call.ResponseStream.Current;
                if (first.Done) return StatusNames.Of(first.Response.Unpack<ExecuteResponse>().Status?.Code ?? 0);

                await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = first.Name });
                return "it waits";
            });
        }),
        new("X1", "a timeout above every maximum is refused, not clamped", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Action.Timeout = Duration.FromTimeSpan(Decade))),
        new("X1", "a negative timeout is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Action.Timeout = new Duration { Seconds = -5 })),
        new("X4", "a working directory that is not among the inputs is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Command.WorkingDirectory = "nowhere")),
        new("X4", "an output that leaves the input root is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Command.OutputPaths.Add("../out"))),
        .. from name in (string[])["", ".", "..", "a/b", "a\0b"]
           select new Check("X12", $"a file called '{name.Replace("\0", "\\0", StringComparison.Ordinal)}' among the inputs is refused", "INVALID_ARGUMENT", peer =>
               RefusedAsync(peer, draft => draft.Root.Files.Add(Trees.File(name, Blob.Of([]).Digest)))),
        new("X12", "names that are not sorted are refused", "INVALID_ARGUMENT", peer =>
            RefusedAsync(peer, draft => draft.Root.Files.AddRange([Trees.File("b", Blob.Of([]).Digest), Trees.File("a", Blob.Of([]).Digest)]))),
        new("X12", "a name twice is refused", "INVALID_ARGUMENT", peer =>
            RefusedAsync(peer, draft => draft.Root.Files.AddRange([Trees.File("a", Blob.Of([]).Digest), Trees.File("a", Blob.Of([]).Digest)]))),
        new("X12", "a name that is a file and a directory is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft =>
        {
            draft.Root.Files.Add(Trees.File("a", Blob.Of([]).Digest));
            draft.Root.Directories.Add(Trees.Folder("a", Blob.Of([]).Digest));
        })),
        new("X13", "an output property that is not known is refused", "INVALID_ARGUMENT", peer => RefusedAsync(peer, draft => draft.Command.OutputNodeProperties.Add("no-such-property"))),
        new("X15", "the platform of the action comes before that of the command", "OK", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0").With(draft =>
            {
                if (peer.WirePlatform().Properties.Count == 0) return; // an empty one of the action is none, and the command's is taken
                draft.Command.Platform = new WirePlatform { Properties = { new WirePlatform.Types.Property { Name = "no-such-property", Value = "x" } } };
            }));
            return ran.StatusName;
        }),
    ];

    private static Task<string> RefusedAsync(Peer peer, Action<ActionDraft> change) => RefusedAsync(peer, new ActionDraft("exit 0").With(change));

    private static async Task<string> RefusedAsync(Peer peer, ActionDraft draft)
    {
        await peer.RequireExecutionAsync();
        return (await peer.RunAsync(draft)).StatusName;
    }

    private static async Task<string> RefusedAsync(Peer peer, WireDigest action)
    {
        await peer.RequireExecutionAsync();
        return (await peer.RunAsync(action)).StatusName;
    }

    /// <summary>Either as the call's status or in the response; every violation is MISSING, or clients do not upload again.</summary>
    private static async Task<string> MissingAsync(Peer peer, WireDigest action, params WireDigest[] absent)
    {
        await peer.RequireExecutionAsync();
        string name;
        IReadOnlyList<string> violations;
        try
        {
            var ran = await peer.RunAsync(action);
            (name, violations) = (ran.StatusName, Peer.Violations(ran.Response.Status));
        }
        catch (RpcException failure)
        {
            (name, violations) = (StatusNames.Of(failure.StatusCode), Peer.Violations(failure));
        }

        bool isExact = violations.Order().SequenceEqual(absent.Select(digest => $"MISSING blobs/{Peer.Path(digest)}").Order());
        return $"{name}, {(isExact ? "MISSING" : string.Join("; ", violations))}";
    }
}
