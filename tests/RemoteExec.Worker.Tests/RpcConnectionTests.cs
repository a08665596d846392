using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>The worker's three channels over a real wire.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RpcConnectionTests
{
    private readonly EchoingPool _pool = new();
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;
    private IWorkerConnection _connection = null!;

    [SetUp]
    public async Task Start()
    {
        var methods = new RpcMethods();
        methods.Add<EchoingPool>(RpcLimits.Default, binder => WorkerPool.BindService(binder, _pool));
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
        var client = new WorkerPool.WorkerPoolClient(_channel.CreateCallInvoker());
        _connection = await new RpcWorkerConnector([new CoordinatorClients(client, client)], TimeProvider.System).ConnectAsync(default);
    }

    [TearDown]
    public async Task Stop()
    {
        await _connection.DisposeAsync();
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Test]
    public async Task Messages_arrive_in_order_and_an_orderly_end_is_null()
    {
        for (int i = 0; i < 50; i++)
            await _connection.SendAsync(new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = Id($"e{i}") } }, default);
        for (int i = 0; i < 50; i++)
            Assert.That((await _connection.ReceiveAsync(default))!.CancelLease.Lease, Is.EqualTo(Id($"e{i}")));

        await _connection.SendAsync(new WorkerMessage { DrainRequested = new DrainRequested() }, default);
        Assert.That(await _connection.ReceiveAsync(default), Is.Null);
    }

    [Test]
    public async Task Reports_of_many_leases_at_once_each_get_their_own_answer()
    {
        var reports = Enumerable.Range(1, 50).Select(attempt =>
            _connection.ReportAsync(new ReportRequest { Lease = Id("e", attempt) }, default).AsTask()).ToList();

        Assert.That((await Task.WhenAll(reports)).Select(response => response.Stale), Is.EqualTo(Enumerable.Range(1, 50).Select(attempt => attempt % 2 == 0)));
    }

    [Test]
    public async Task Output_that_is_refused_is_a_failure_of_its_piece_and_the_next_goes_on_another_call()
    {
        var piece = new LeaseOutput { Lease = Id("e"), Data = ByteString.CopyFromUtf8("x") };
        await _connection.ShowAsync(piece, default);
        await _pool.Watched.Task;

        // The refusal arrives when it arrives; until then pieces are taken by the wire.
        bool isRefused = false;
        while (!isRefused)
        {
            try
            {
                await _connection.ShowAsync(piece, default);
            }
            catch (Exception refused) when (refused is RpcException or InvalidOperationException)
            {
                isRefused = true;
            }
        }

        await _connection.ShowAsync(piece, default);
        while (_pool.Watchers < 2) await Task.Yield();
        await _connection.SendAsync(new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = Id("e") } }, default);
        Assert.That((await _connection.ReceiveAsync(default))!.CancelLease.Lease, Is.EqualTo(Id("e")), "the stream is as it was");
    }

    [Test]
    public async Task A_connection_that_is_over_begins_no_call()
    {
        await _connection.DisposeAsync();

        Assert.That(
            async () => await _connection.ShowAsync(new LeaseOutput { Lease = Id("e") }, default),
            Throws.InstanceOf<RpcException>().With.Property(nameof(RpcException.StatusCode)).EqualTo(StatusCode.Unavailable));
        Assert.That(_pool.Watchers, Is.Zero);
    }

    private sealed class EchoingPool : WorkerPool.WorkerPoolBase
    {
        private int _watchers;

        public TaskCompletionSource Watched { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int Watchers => Volatile.Read(ref _watchers);

        public override async Task Join(
            IAsyncStreamReader<WorkerMessage> requestStream, IServerStreamWriter<CoordinatorMessage> responseStream, ServerCallContext context)
        {
            while (await requestStream.MoveNext(context.CancellationToken)
                   && requestStream.Current.LeaseStarted is { } started)
            {
                await responseStream.WriteAsync(new CoordinatorMessage { CancelLease = new CancelLease { Lease = started.Lease } }, context.CancellationToken);
            }
        }

        public override Task<ReportResponse> Report(ReportRequest request, ServerCallContext context) =>
            Task.FromResult(new ReportResponse { Stale = request.Lease.Attempt % 2 == 0 });

        /// <summary>Refuses the first watcher after a piece, and listens to the others.</summary>
        public override async Task<LiveOutputResponse> LiveOutput(IAsyncStreamReader<LeaseOutput> requestStream, ServerCallContext context)
        {
            int number = Interlocked.Increment(ref _watchers);
            while (await requestStream.MoveNext(context.CancellationToken))
            {
                Watched.TrySetResult();
                if (number == 1) throw new RpcException(new Status(StatusCode.ResourceExhausted, "too much to see"));
            }

            return new LiveOutputResponse();
        }
    }
}
