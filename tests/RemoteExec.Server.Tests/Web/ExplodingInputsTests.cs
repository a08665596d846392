using Google.Protobuf;
using RemoteExec.Core;
using RemoteExec.Observability;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using RemoteExec.Web;
using Action = Build.Bazel.Remote.Execution.V2.Action;

namespace RemoteExec.Server.Tests;

/// <summary>What the page makes of an input root that no door should have let through (TRUST H7).</summary>
public sealed class ExplodingInputsTests
{
    private const int ShownAtMost = 500;

    private InProcessServer? _server;

    [OneTimeSetUp]
    public async Task StartServerAsync() => _server = await InProcessServer.StartAsync("--roles", "storage");

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is not null) await _server.DisposeAsync();
    }

    [TestCase(ExplodingTrees.Chain)]
    [TestCase(ExplodingTrees.Files)]
    [TestCase(ExplodingTrees.Paths)]
    public async Task The_page_shows_the_first_inputs_of_a_tree_that_explodes(string name)
    {
        IBlobStore blobs = _server!.Client.Blobs; // set before a test runs
        var directories = ExplodingTrees.Make(name);
        foreach (var some in directories.Chunk(2_000))
            await blobs.WriteManyAsync([.. some.Select(each => (each.Digest, (ReadOnlyMemory<byte>)each.Bytes))], default);
        var action = await blobs.WriteAllAsync(DigestFunction.Sha256, new Action { InputRootDigest = directories[^1].Digest.ToWire() }.ToByteArray(), default);
        var id = new ExecutionId(1);

        var view = await new ActionReader(SourcesOf(blobs, id, action)).ReadAsync(id, default);

        Assert.That((view?.Inputs.Count, view?.InputsTruncated), Is.EqualTo((ShownAtMost, true)));
    }

    private static WebSources SourcesOf(IBlobStore blobs, ExecutionId id, Digest action)
    {
        var now = TimeProvider.System.GetUtcNow();
        var live = new OperationSnapshot
        {
            Name = "operations/1", Execution = id, Stage = OperationStage.Executing, CreatedAt = now, QueuedAt = now,
            Request = new ExecutionRequest { Instance = InstanceName.Empty, Action = action, Platform = Platform.Empty, Timeout = TimeSpan.FromMinutes(1) },
        };
        return new WebSources
        {
            Version = "", GrpcAddress = () => "", Time = TimeProvider.System, Blobs = blobs, History = new ActionHistory(recordsMax: 1, responseBytesMax: 1), FindLive = _ => live,
            // What is not about one action is not asked.
            Health = null!, Metrics = null!, Queue = null!, LiveOperations = null!, Storage = null!,
        };
    }
}
