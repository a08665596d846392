using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What a command sees when it runs (REAPI X2, X3, X5, X14, X15).</summary>
internal static class CommandChecks
{
    private const string Program = "#!/bin/sh\nprintf \"it ran\"\n";

    public static IEnumerable<Check> All =>
    [
        new("X2", "a program with a slash is found below the working directory", "it ran", async peer => await RunAsync(peer, "tool/run", "work", "work/tool/run")),
        new("X2", "a bare program is found by the command's own PATH", "it ran", async peer => await RunAsync(peer, "sh", "", null, draft =>
        {
            draft.Command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Name = "PATH", Value = "/bin:/usr/bin" });
            draft.Command.Arguments.Add(["-c", "printf 'it ran'"]);
        })),
        new("X2", "a program that is not there is FAILED_PRECONDITION, and named", "FAILED_PRECONDITION, named", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("").With(draft =>
            {
                draft.Command.Arguments.Clear();
                draft.Command.Arguments.Add("no-such-program-here");
            }));
            return $"{ran.StatusName}, {(ran.Response.Status.Message.Contains("no-such-program-here", StringComparison.Ordinal) ? "named" : ran.Response.Status.Message)}";
        }),
        new("X3", "a variable arrives as it was given", "it is 'this one'", async peer => await ScriptAsync(peer, "printf \"it is '%s'\" \"$GIVEN\"", draft =>
            draft.Command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Name = "GIVEN", Value = "this one" }))),
        new("X3", "PATH, HOME and TMPDIR are the command's own where it says so", "/p /h /t", async peer => await ScriptAsync(peer, "printf '%s %s %s' \"$PATH\" \"$HOME\" \"$TMPDIR\"", draft =>
        {
            foreach (var (name, value) in ((string, string)[])[("HOME", "/h"), ("PATH", "/p"), ("TMPDIR", "/t")])
                draft.Command.EnvironmentVariables.Add(new WireCommand.Types.EnvironmentVariable { Name = name, Value = value });
        })),
        new("X4", "a command runs in its working directory", "here", async peer => await ScriptAsync(peer, "cat where", draft =>
        {
            var file = Blob.Of("here"u8.ToArray());
            var folder = Blob.Of(new WireDirectory { Files = { Trees.File("where", file.Digest) } });
            draft.Inputs.AddRange([file, folder]);
            draft.Root.Directories.Add(Trees.Folder("work", folder.Digest));
            draft.Command.WorkingDirectory = "work";
        })),
        new("X12", "inputs are what they were: bytes, folders, links, the executable bit", "bytes link run", async peer => await ScriptAsync(peer, "cat d/f; printf ' '; readlink l; test -x d/x && ! test -x d/f && printf run", draft =>
        {
            var (file, program) = (Blob.Of("bytes"u8.ToArray()), Blob.Of("#!"u8.ToArray()));
            var folder = Blob.Of(new WireDirectory { Files = { Trees.File("f", file.Digest), Trees.File("x", program.Digest, isExecutable: true) } });
            draft.Inputs.AddRange([file, program, folder]);
            draft.Root.Directories.Add(Trees.Folder("d", folder.Digest));
            draft.Root.Symlinks.Add(Trees.Link("l", "link"));
        })),
        new("X14", "a salt makes another action, and nothing else", "ran, ran", async peer =>
        {
            var (first, second) = (await peer.RunOfferedAsync(new ActionDraft("exit 0")), await peer.RunOfferedAsync(new ActionDraft("exit 0")));
            return $"{Ran(first)}, {Ran(second)}";
        }),
        new("X15", "a platform on the command alone is the action's (Buck2, older Bazels)", "OK", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0").With(draft =>
            {
                draft.Command.Platform = peer.WirePlatform();
                draft.Action.Platform = new WirePlatform();
            }));
            return ran.StatusName;
        }),
        new("X15", "a platform on the command alone is not overlooked", "not run", async peer =>
        {
            await peer.RequireExecutionAsync();
            var draft = new ActionDraft("exit 0").With(each =>
            {
                each.Action.Platform = new WirePlatform();
                each.Command.Platform = new WirePlatform { Properties = { new WirePlatform.Types.Property { Name = "no-such-property", Value = "x" } } };
            });
            try
            {
                using var call = peer.Execute(await peer.StoreAsync(draft));
                if (!await call.ResponseStream.MoveNext(peer.Deadline)) return "nothing";
                var first = call.ResponseStream.Current;
                if (!first.Done) await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = first.Name });
                return first.Done && new Run(first.Response is null ? new WireDigest() : Peer.Absent(), [first]).Status == StatusCode.OK ? "run" : "not run";
            }
            catch (RpcException)
            {
                return "not run";
            }
        }),
    ];

    private static string Ran(Run run) => run.Response.CachedResult ? "cached" : "ran";

    private static async Task<string> ScriptAsync(Peer peer, string script, Action<ActionDraft> change)
    {
        var ran = await peer.RunOfferedAsync(new ActionDraft(script).With(change).With(draft => draft.Request.InlineStdout = true));
        return ran.Status == StatusCode.OK ? (await peer.StdoutAsync(ran.Result)).ReplaceLineEndings(" ") : ran.StatusName;
    }

    private static async Task<string> RunAsync(Peer peer, string program, string workingDirectory, string? path, Action<ActionDraft>? change = null)
    {
        var draft = new ActionDraft("");
        draft.Command.Arguments.Clear();
        draft.Command.Arguments.Add(program);
        draft.Command.WorkingDirectory = workingDirectory;
        if (path is not null)
        {
            var child = Blob.Of(System.Text.Encoding.UTF8.GetBytes(Program));
            draft.Inputs.Add(child);
            string[] segments = path.Split('/');
            var below = new WireDirectory { Files = { Trees.File(segments[^1], child.Digest, isExecutable: true) } };
            foreach (string segment in segments[..^1].Reverse())
            {
                var folder = Blob.Of(below);
                draft.Inputs.Add(folder);
                below = new WireDirectory { Directories = { Trees.Folder(segment, folder.Digest) } };
            }

            draft.Root.MergeFrom(below);
        }

        change?.Invoke(draft);
        draft.Request.InlineStdout = true;
        var ran = await peer.RunOfferedAsync(draft);
        return ran.Status == StatusCode.OK ? await peer.StdoutAsync(ran.Result) : $"{ran.StatusName}: {ran.Response.Status.Message}";
    }
}
