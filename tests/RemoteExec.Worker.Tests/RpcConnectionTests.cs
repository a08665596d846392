using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>The worker's two ways over a real wire: its stream, and blobs.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class RpcConnectionTests
{
    private RpcServer _server = null!;
    private RpcChannel _channel = null!;
    private readonly SmallByteStream _blobs = new();

    [SetUp]
    public async Task Start()
    {
        _server = new RpcServer(new RpcServerOptions());
        _server.AddService(WorkerPool.BindService(new EchoingPool()));
        _server.AddService(ByteStream.BindService(_blobs));
        await _server.StartAsync(default);
        _channel = new RpcChannel(_server.Address, new RpcChannelOptions { Retry = RetryPolicy.None });
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

    [Test]
    public async Task A_blob_goes_up_in_pieces_and_comes_down_whole()
    {
        var store = new CoordinatorBlobStore(_channel.CreateCallInvoker(), InstanceName.Empty);
        byte[] bytes = new byte[300_000];
        new Random(7).NextBytes(bytes);

        var digest = await store.WriteAllAsync(DigestFunction.Sha256, bytes, default);
        Assert.That((await store.ReadAllAsync(digest, bytes.Length, default))?.ToArray(), Is.EqualTo(bytes));
    }

    [Test]
    public async Task An_absent_blob_is_a_miss()
    {
        var store = new CoordinatorBlobStore(_channel.CreateCallInvoker(), InstanceName.Empty);

        Assert.That(await store.ReadAllAsync(Digest.Of(DigestFunction.Sha256, "absent"u8), 100, default), Is.Null);
    }

    [Test]
    public async Task A_server_that_has_the_blob_already_ends_the_upload_early_with_success()
    {
        var store = new CoordinatorBlobStore(_channel.CreateCallInvoker(), InstanceName.Empty);
        byte[] bytes = new byte[1_000_000];
        var digest = await store.WriteAllAsync(DigestFunction.Sha256, bytes, default);
        _blobs.AnswersEarly = true;

        Assert.That(async () => await store.WriteAllAsync(digest, bytes, default), Throws.Nothing);
    }

    [Test]
    public void A_refused_upload_says_why()
    {
        var store = new CoordinatorBlobStore(_channel.CreateCallInvoker(), InstanceName.Empty);
        _blobs.Refusal = new RpcException(new Status(StatusCode.ResourceExhausted, "the disk is full"));

        var refused = Assert.ThrowsAsync<RpcException>(
            async () => await store.WriteAllAsync(DigestFunction.Sha256, new byte[1000], default));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refused.Status.Detail, Does.Contain("the disk is full"));
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
    private sealed class SmallByteStream : ByteStream.ByteStreamBase
    {
        private readonly Dictionary<string, byte[]> _kept = [];

        public bool AnswersEarly { get; set; }

        public RpcException? Refusal { get; set; }

        public override async Task<WriteResponse> Write(IAsyncStreamReader<WriteRequest> requestStream, ServerCallContext context)
        {
            if (Refusal is not null) throw Refusal;
            using var bytes = new MemoryStream();
            Assert.That(await requestStream.MoveNext(context.CancellationToken));
            Assert.That(UploadResourceName.TryParse(requestStream.Current.ResourceName, out var name, out string? error), error);
            if (AnswersEarly) return new WriteResponse { CommittedSize = name.Blob.Digest.SizeBytes };
            do
            {
                Assert.That(requestStream.Current.WriteOffset, Is.EqualTo(bytes.Length));
                requestStream.Current.Data.WriteTo(bytes);
            }
            while (!requestStream.Current.FinishWrite && await requestStream.MoveNext(context.CancellationToken));
            _kept[name.Blob.ToString()] = bytes.ToArray();
            return new WriteResponse { CommittedSize = bytes.Length };
        }

        public override async Task Read(ReadRequest request, IServerStreamWriter<ReadResponse> responseStream, ServerCallContext context)
        {
            if (!_kept.TryGetValue(request.ResourceName, out byte[]? bytes))
                throw new RpcException(new Status(StatusCode.NotFound, "no such blob"));
            foreach (byte[] piece in bytes.Chunk(70_000))
                await responseStream.WriteAsync(new ReadResponse { Data = ByteString.CopyFrom(piece) }, context.CancellationToken);
        }
    }
}
