using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>
/// Every method that walks a tree, with every tree that grows when it is walked (TRUST H7): refused, and at once. (Remote Asset has its own table in
/// <see cref="RemoteAssetTests"/>; what a worker, a client and the page do with them stands in the tests of those.)
/// </summary>
internal sealed class ExplodingTreeTests : ServicesFixture
{
    private const string GetTree = "GetTree";
    private const string Execute = "Execute";
    private const string UpdateWithTree = "UpdateActionResult with a tree";
    private const string UpdateWithRoot = "UpdateActionResult with a root directory";
    private const string GetWithTree = "GetActionResult with a tree";
    private const string GetWithRoot = "GetActionResult with a root directory";

    private static IEnumerable<TestCaseData> Table()
    {
        foreach (string tree in new[] { ExplodingTrees.Chain, ExplodingTrees.LongChain, ExplodingTrees.Files, ExplodingTrees.Paths, ExplodingTrees.Cycle })
        {
            // A directory that contains itself is not too big: it cannot be.
            var refused = tree == ExplodingTrees.Cycle ? StatusCode.InvalidArgument : StatusCode.ResourceExhausted;
            foreach (string method in new[] { GetTree, Execute, UpdateWithTree, UpdateWithRoot }) yield return Case(method, tree, refused);
            // Such a result is none: it is made again.
            foreach (string method in new[] { GetWithTree, GetWithRoot }) yield return Case(method, tree, StatusCode.NotFound);
        }

        static TestCaseData Case(string method, string tree, StatusCode code) => new(method, tree, code);
    }

    [TestCaseSource(nameof(Table))]
    public async Task A_tree_that_explodes_is_refused(string method, string name, StatusCode expected) // REAPI C5, E3, A1, A3
    {
        var directories = ExplodingTrees.Make(name);
        foreach (var (digest, bytes) in directories) Store.PutUnchecked(digest, bytes);
        var root = directories[^1].Digest;
        var action = await StoreActionAsync(action => action.InputRootDigest = root.ToWire());
        var output = new OutputDirectory { Path = "out", RootDirectoryDigest = root.ToWire() };
        if (method is UpdateWithTree or GetWithTree)
            output = new OutputDirectory { Path = "out", TreeDigest = (await StoreAsync(ExplodingTrees.AsTree(directories))).ToWire() };
        var result = new ActionResult { OutputDirectories = { output }, ExecutionMetadata = new ExecutedActionMetadata { Worker = "w" } };
        if (method is GetWithTree or GetWithRoot) await Cache.PutAsync(new ActionCacheKey(InstanceName.Empty, action), result, Soon);

        int listed = 0;
        var code = StatusCode.OK;
        try
        {
            switch (method)
            {
                case GetTree:
                    using (var call = Cas.GetTree(new GetTreeRequest { RootDigest = root.ToWire() }, cancellationToken: Soon))
                    {
                        while (await call.ResponseStream.MoveNext(Soon)) listed += call.ResponseStream.Current.Directories.Count;
                    }

                    break;
                case Execute:
                    using (var call = Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, cancellationToken: Soon))
                        await call.ResponseStream.MoveNext(Soon);
                    break;
                case UpdateWithTree or UpdateWithRoot:
                    await ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest { ActionDigest = action.ToWire(), ActionResult = result }, cancellationToken: Soon);
                    break;
                default:
                    await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = action.ToWire() }, cancellationToken: Soon);
                    break;
            }
        }
        catch (RpcException failure)
        {
            code = failure.StatusCode;
        }

        Assert.That(code, Is.EqualTo(expected));
        Assert.That(listed, Is.Zero, "of these few directories no page is full before the last is seen");
    }
}
