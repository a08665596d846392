using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;

namespace RemoteExec.Server.Tests;

/// <summary>The worker inside the server. Everybody knows its name, and what was leased to it would go to whoever lives where it does.</summary>
public sealed class LocalWorkerTests
{
    [Test]
    public async Task Nobody_outside_can_take_its_place()
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1");
        string local = (await server.Client.RunAsync("true")).Result.ExecutionMetadata.Worker;
        using var channel = RpcChannels.Create(new Uri($"http://{server.Host.Rpc.EndPoint}"));
        var workers = new WorkerPool.WorkerPoolClient(channel.CreateCallInvoker());
        foreach (string home in new[] { "", local, Environment.MachineName, "process" })
        {
            using var join = workers.Join(new CallOptions());
            await join.RequestStream.WriteAsync(new WorkerMessage { Hello = new Hello { WorkerId = local, Home = home, Slots = 1, Version = "test" } });
            var refused = Assert.ThrowsAsync<RpcException>(async () => await join.ResponseStream.MoveNext(CancellationToken.None));
            Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.AlreadyExists), $"at home in '{home}'");
        }

        Assert.That((await server.Client.RunAsync("exit 3")).Result.ExitCode, Is.EqualTo(3), "it is still there");
    }

    [Test]
    public void Where_it_lives_is_a_new_secret_at_each_start()
    {
        var options = Options.Of("--data-dir", "/data");
        var homes = Enumerable.Range(0, 3).Select(_ => ServerComposition.WorkerOptionsOf(options, new ServerPaths("/data")).Home);

        Assert.That(homes.Distinct().Count(), Is.EqualTo(3));
    }
}
