using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;

namespace RemoteExec.Worker.Tests;

/// <summary>The worker's stream over a real wire.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RpcConnectionTests
{
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;

    [SetUp]
    public async Task Start()
    {
        var methods = new RpcMethods();
        methods.Add<EchoingPool>(RpcLimits.Default, binder => WorkerPool.BindService(binder, new EchoingPool()));
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
    }

    [TearDown]
    public async Task Stop()
    {
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Test]
    public async Task Messages_of_many_leases_at_once_all_arrive_and_an_orderly_end_is_null()
    {
        var connector = new RpcWorkerConnector([new WorkerPool.WorkerPoolClient(_channel.CreateCallInvoker())]);
        await using var connection = await connector.ConnectAsync(default);
        var ids = Enumerable.Range(0, 50).Select(number => CoordinatorStreamExtensions.Id($"e{number}")).ToList();

        await Task.WhenAll(ids.Select(id =>
            connection.SendAsync(new WorkerMessage { LeaseFinished = new LeaseFinished { Lease = id } }, default).AsTask()));
        var acknowledged = new List<LeaseId>();
        foreach (var _ in ids)
            acknowledged.Add((await connection.ReceiveAsync(default))!.FinishAcknowledged.Lease);
        await connection.SendAsync(new WorkerMessage { DrainRequested = new DrainRequested() }, default);

        Assert.That(acknowledged, Is.EquivalentTo(ids));
        Assert.That(await connection.ReceiveAsync(default), Is.Null);
    }

    private sealed class EchoingPool : WorkerPool.WorkerPoolBase
    {
        public override async Task Join(
            IAsyncStreamReader<WorkerMessage> requestStream, IServerStreamWriter<CoordinatorMessage> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken)
                   && requestStream.Current.LeaseFinished is { } report)
            {
                var acknowledgement = new FinishAcknowledged { Lease = report.Lease };
                await responseStream.WriteAsync(new CoordinatorMessage { FinishAcknowledged = acknowledgement }, context.CancellationToken);
            }
        }
    }

    /// <summary>Keeps uploads by hash and serves them in small pieces.</summary>
}
