using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using Directory = Build.Bazel.Remote.Execution.V2.Directory;

namespace RemoteExec.Server.Tests;

/// <summary>What nodes have beside their content, and links that lead anywhere, from a client through the server and a worker and back.</summary>
public sealed class NodePropertyTests
{
    private static readonly Timestamp Old = new() { Seconds = 1_000_000_000, Nanos = 123_456_789 };

    [Test]
    public async Task Inputs_have_the_times_and_rights_that_their_client_names() // REAPI X12
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1");
        var content = await PutAsync(server, ByteString.CopyFromUtf8("content"));
        var inner = new Directory { NodeProperties = Of(0x16D), Files = { File("plain", content), File("set", content, Of(0x1A0)) } };
        var root = new Directory
        {
            NodeProperties = new NodeProperties { Mtime = Old },
            Files = { File("empty", Core.Digest.Empty(Core.DigestFunction.Sha256), Of(0x9C0)), File("time", content, new NodeProperties { Mtime = Old }) },
            Directories = { new DirectoryNode { Name = "d", Digest = (await PutAsync(server, inner.ToByteString())).ToWire() } },
            Symlinks = { new SymlinkNode { Name = "link", Target = "time", NodeProperties = new NodeProperties { Mtime = Old } } },
        };

        var result = await RunAsync(server, root, "stat -c '%n %a %Y' d d/set empty time link; stat -c '%n %a' d/plain; stat -c '%Y' .; cat d/set time");

        Assert.That(Lines(result), Is.EqualTo(new[]
        {
            "d 555 1000000000", "d/set 640 1000000000", "empty 700 1000000000", "time 444 1000000000", "link 777 1000000000", "d/plain 444", "1000000000", "contentcontent",
        }));
    }

    [Test]
    public async Task A_file_with_rights_of_its_own_is_a_copy_that_changes_no_other() // REAPI X12, TRUST 3
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1");
        var content = await PutAsync(server, ByteString.CopyFromUtf8("content"));
        var root = new Directory { Files = { File("a", content, Of(0x1B6)), File("b", content) } };

        var result = await RunAsync(server, root, "echo changed > a; cat a b");

        Assert.That(Lines(result), Is.EqualTo(new[] { "changed", "content" }));
        Assert.That((await server.Client.Blobs.ReadAllAsync(content, 100, default))!.Value.ToArray(), Is.EqualTo("content"u8.ToArray()));
    }

    [Test]
    public async Task Outputs_tell_the_properties_that_are_asked_for() // REAPI X13
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1");
        const string Script = "echo x > f; chmod 4751 f; mkdir -p d/e; echo y > d/e/g; chmod 604 d/e/g; ln -s g d/e/l; chmod 711 d; touch -h -d @1000000000.5 f d/e/g d/e/l d; ln -s f top; touch -h -d @1000000000.5 top";

        var both = await RunAsync(server, new Directory(), Script, command => command.OutputNodeProperties.Add(["mtime", "unix_mode"]), ["f", "d", "top"]);
        var mode = await RunAsync(server, new Directory(), Script, command => command.OutputNodeProperties.Add("unix_mode"), ["f", "d", "top"]);
        var none = await RunAsync(server, new Directory(), Script, outputs: ["f", "d", "top"]);

        var time = new Timestamp { Seconds = 1_000_000_000, Nanos = 500_000_000 };
        var tree = await TreeAsync(server, both);
        Assert.Multiple(() =>
        {
            Assert.That(both.OutputFiles.Single().NodeProperties, Is.EqualTo(new NodeProperties { Mtime = time, UnixMode = 0x1E9 }), "without set-user-ID");
            Assert.That(both.OutputSymlinks.Single().NodeProperties.Mtime, Is.EqualTo(time));
            Assert.That(tree.Root.NodeProperties, Is.EqualTo(new NodeProperties { Mtime = time, UnixMode = 0x1C9 }));
            Assert.That(tree.Children.Single().Files.Single().NodeProperties, Is.EqualTo(new NodeProperties { Mtime = time, UnixMode = 0x184 }));
            Assert.That(tree.Children.Single().Symlinks.Single().NodeProperties.Mtime, Is.EqualTo(time));
            Assert.That(mode.OutputFiles.Single().NodeProperties, Is.EqualTo(new NodeProperties { UnixMode = 0x1E9 }));
            Assert.That(none.OutputFiles.Single().NodeProperties, Is.Null);
        });
        Assert.That((await TreeAsync(server, none)).Root.NodeProperties, Is.Null);
    }

    [Test]
    public async Task Known_properties_are_announced_and_others_refused() // REAPI K3, X13
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1");

        var refused = Assert.ThrowsAsync<RpcException>(() => RunAsync(server, new Directory(), "true", command => command.OutputNodeProperties.Add("colour")));
        var noTime = Assert.ThrowsAsync<RpcException>(() => RunAsync(
            server, new Directory { NodeProperties = new NodeProperties { Mtime = new Timestamp { Seconds = long.MaxValue } } }, "true"));

        Assert.That((await server.Client.Capabilities.GetCapabilitiesAsync(new GetCapabilitiesRequest())).ExecutionCapabilities.SupportedNodeProperties, Is.EqualTo(new[] { "mtime", "unix_mode" }));
        Assert.That((refused!.StatusCode, noTime!.StatusCode), Is.EqualTo((StatusCode.InvalidArgument, StatusCode.InvalidArgument)));
        Assert.That(refused.Status.Detail, Does.Contain("colour"));
    }

    [TestCase("disallowed", SymlinkAbsolutePathStrategy.Types.Value.Disallowed)]
    [TestCase("allowed", SymlinkAbsolutePathStrategy.Types.Value.Allowed)]
    public async Task Absolute_links_are_kept_or_refused_as_it_is_announced(string setting, SymlinkAbsolutePathStrategy.Types.Value announced) // REAPI K2, E3, X9
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1", "--absolute-symlinks", setting);
        bool isAllowed = setting == "allowed";
        var root = new Directory { Symlinks = { new SymlinkNode { Name = "in", Target = "/some/where" } } };

        var strategy = (await server.Client.Capabilities.GetCapabilitiesAsync(new GetCapabilitiesRequest())).CacheCapabilities.SymlinkAbsolutePathStrategy;
        ActionResult? read = null;
        StatusCode input = StatusCode.OK, output = StatusCode.OK;
        try
        {
            read = await RunAsync(server, root, "readlink in");
        }
        catch (RpcException refused)
        {
            input = refused.StatusCode;
        }

        ActionResult? made = null;
        try
        {
            made = await RunAsync(server, new Directory(), "ln -s /else/where out; mkdir d; ln -s /else d/l", outputs: ["out", "d"]);
        }
        catch (RpcException refused)
        {
            output = refused.StatusCode;
        }

        Assert.That(strategy, Is.EqualTo(announced));
        Assert.That(input, Is.EqualTo(isAllowed ? StatusCode.OK : StatusCode.InvalidArgument));
        Assert.That(output, Is.EqualTo(isAllowed ? StatusCode.OK : StatusCode.FailedPrecondition));
        if (!isAllowed) return;
        Assert.That(Lines(read!), Is.EqualTo(new[] { "/some/where" }));
        Assert.That(made!.OutputSymlinks.Single().Target, Is.EqualTo("/else/where"));
        Assert.That((await TreeAsync(server, made)).Root.Symlinks.Single().Target, Is.EqualTo("/else"));
    }

    private static NodeProperties Of(uint mode) => new() { Mtime = Old, UnixMode = mode };

    private static FileNode File(string name, Core.Digest digest, NodeProperties? properties = null) => new() { Name = name, Digest = digest.ToWire(), NodeProperties = properties };

    private static string[] Lines(ActionResult result) => result.StdoutRaw.ToStringUtf8().TrimEnd('\n').Split('\n');

    private static async Task<Core.Digest> PutAsync(InProcessServer server, ByteString bytes) => await server.Client.Blobs.WriteAllAsync(Core.DigestFunction.Sha256, bytes.Memory, default);

    private static async Task<Tree> TreeAsync(InProcessServer server, ActionResult result) =>
        Tree.Parser.ParseFrom((await server.Client.Blobs.ReadAllAsync(WireDigests.FromWire(result.OutputDirectories.Single().TreeDigest, Core.DigestFunction.Sha256, "tree"), 1 << 20, default))!.Value.Span);

    /// <exception cref="RpcException">What the call or its response ended with.</exception>
    private static async Task<ActionResult> RunAsync(InProcessServer server, Directory root, string script, Action<Command>? change = null, params string[] outputs)
    {
        var command = new Command { Arguments = { "/bin/sh", "-c", script }, OutputPaths = { outputs }, EnvironmentVariables = { new Command.Types.EnvironmentVariable { Name = "PATH", Value = "/usr/bin:/bin" } } };
        change?.Invoke(command);
        var action = new Build.Bazel.Remote.Execution.V2.Action
        {
            CommandDigest = (await PutAsync(server, command.ToByteString())).ToWire(),
            InputRootDigest = (await PutAsync(server, root.ToByteString())).ToWire(),
        };
        using var call = server.Client.Execution.Execute(new ExecuteRequest { ActionDigest = (await PutAsync(server, action.ToByteString())).ToWire(), InlineStdout = true });
        while (await call.ResponseStream.MoveNext(default))
        {
            if (!call.ResponseStream.Current.Done) continue;
            var response = call.ResponseStream.Current.Response.Unpack<ExecuteResponse>();
            return response.Status is null or { Code: 0 } ? response.Result : throw new RpcException(new Status((StatusCode)response.Status.Code, response.Status.Message));
        }

        throw new AssertionException("the stream ended without a result");
    }
}
