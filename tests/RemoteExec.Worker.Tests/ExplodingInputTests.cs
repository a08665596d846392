using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

/// <summary>A worker does not make what no coordinator should have let through (TRUST H7).</summary>
public sealed class ExplodingInputTests
{
    [TestCase(ExplodingTrees.Chain)]
    [TestCase(ExplodingTrees.Files)]
    [TestCase(ExplodingTrees.Paths)]
    public async Task A_tree_that_explodes_is_refused_before_anything_is_made(string name)
    {
        await using var bench = new ActionBench();
        var directories = ExplodingTrees.Make(name);
        foreach (var (_, bytes) in directories) bench.Store.Put(Core.DigestFunction.Sha256, bytes);
        var sandbox = new ScriptedSandbox((_, _, _) => throw new AssertionException("it ran"));

        var report = await bench.RunAsync(sandbox, bench.Lease(
            new WireCommand { Arguments = { "true" } }, adjust: action => action.InputRootDigest = directories[^1].Digest.ToWire()));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.ResourceExhausted), report.Status.Message);
        Assert.That(report.Blame, Is.EqualTo(Blame.Client));
    }
}
