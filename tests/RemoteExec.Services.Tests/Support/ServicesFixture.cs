using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>All services on a real server and a real channel, over stores in memory and a clock that the test moves.</summary>
internal abstract class ServicesFixture
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(120);

    private RpcLoopback _server = null!;
    private ServicesComposition _services = null!;

    /// <summary>A test's bound on waiting for what must come; nothing waits for it to pass.</summary>
    protected CancellationToken Soon => _soon.Token;

    private CancellationTokenSource _soon = null!;

    protected ManualTime Time { get; private set; } = null!;

    protected ServicesOptions Options { get; set; } = new();

    protected MemoryBlobStore Store { get; private set; } = null!;

    protected ChunkLists ChunkLists { get; private set; } = null!;

    protected IActionCache Cache { get; private set; } = null!;

    protected Scheduler Scheduler { get; private set; } = null!;

    protected GrpcChannel Channel { get; private set; } = null!;

    protected ServicesComposition Services => _services;

    protected System.Net.IPEndPoint EndPoint => _server.EndPoint;

    protected virtual IReadOnlyList<IRpcObserver> Observers => [];

    /// <summary>What it is started with, unless a test restarts it.</summary>
    protected virtual ServicesOptions FirstOptions => new();

    /// <summary>How long an action may wait without anybody who could run it.</summary>
    protected virtual TimeSpan UnsatisfiableMax => TimeSpan.FromHours(1);

    /// <summary>What the services take for their store; asked for at each start.</summary>
    protected virtual IBlobStore Served => Store;

    /// <summary>Where the action cache looks for what its results refer to.</summary>
    protected virtual IBlobStore StoreOfResults => Store;

    /// <summary>What the services learn from, and look up; null where lost inputs are not made again.</summary>
    protected virtual ProducerTable? Producers => null;

    /// <summary>Asked for one at each start.</summary>
    protected virtual IOperationJournal Journal => new MemoryOperationJournal();

    /// <summary>What the port counts its clients' silence by.</summary>
    protected virtual TimeProvider PortTime => TimeProvider.System;

    /// <summary>Takes the port away under everybody.</summary>
    protected ValueTask StopPortAsync() => _server.DisposeAsync();

    protected virtual ILoggerFactory Log => NullLoggerFactory.Instance;

    protected ContentAddressableStorage.ContentAddressableStorageClient Cas => new(Channel);

    protected ByteStream.ByteStreamClient Bytes => new(Channel);

    protected ActionCache.ActionCacheClient ActionCache => new(Channel);

    protected Execution.ExecutionClient Execution => new(Channel);

    protected Operations.OperationsClient Operations => new(Channel);

    protected LogStreamService.LogStreamServiceClient Logs => new(Channel);

    protected WorkerPool.WorkerPoolClient WorkerPool => new(Channel);

    [SetUp]
    public async Task StartServer()
    {
        Options = FirstOptions;
        _soon = new CancellationTokenSource(Patience);
        Time = new ManualTime();
        Store = new MemoryBlobStore(limitBytes: 64 << 20, retention: TimeSpan.FromHours(4), Time);
        ChunkLists = ChunkLists.Open(new ChunkListsOptions(), Time);
        Cache = new CompletenessCheckingActionCache(new MemoryActionCache(limitBytes: 16 << 20), StoreOfResults);
        await StartAsync();
    }

    [TearDown]
    public async Task StopServer()
    {
        Channel.Dispose();
        await Scheduler.DisposeAsync();
        await _server.DisposeAsync();
        await _services.DisposeAsync();
        ChunkLists.Dispose();
        _soon.Dispose();
    }

    /// <summary>The same stores behind a server with other options.</summary>
    protected async Task RestartAsync(ServicesOptions options)
    {
        Channel.Dispose();
        await Scheduler.DisposeAsync();
        await _server.DisposeAsync();
        await _services.DisposeAsync();
        Options = options;
        await StartAsync();
    }

    protected static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    protected static Digest DigestOf(string text) => Digest.Of(DigestFunction.Sha256, Utf8(text));

    protected static Digest DigestOf(IMessage message) => Digest.Of(DigestFunction.Sha256, message.ToByteArray());

    protected async Task<Digest> StoreAsync(string text) => await Store.WriteAllAsync(DigestFunction.Sha256, Utf8(text), Soon);

    protected async Task<Digest> StoreAsync(IMessage message) => await Store.WriteAllAsync(DigestFunction.Sha256, message.ToByteArray(), Soon);

    protected async Task<bool> IsStoredAsync(Digest digest) => (await Store.FindMissingAsync([digest], Soon)).Count == 0;

    protected static async Task<RpcException> FailureOf(Func<Task> call)
    {
        try
        {
            await call();
        }
        catch (RpcException failure)
        {
            return failure;
        }

        throw new AssertionException("the call succeeded");
    }

    protected static async Task<StatusCode> CodeOf(Func<Task> call) => (await FailureOf(call)).StatusCode;

    /// <summary>As HTTP/2 counts trailers: 32 bytes for each, beside name and value (RFC 9113, 6.5.2); binary ones in base64.</summary>
    protected static int SizeOf(RpcException failure) =>
        failure.Trailers.Sum(trailer => 32 + trailer.Key.Length + (trailer.IsBinary ? (trailer.ValueBytes.Length + 2) / 3 * 4 : trailer.Value.Length))
        + 32 + "grpc-status".Length + 2
        + 32 + "grpc-message".Length + Utf8(failure.Status.Detail).Sum(character => character is >= 0x20 and <= 0x7e and not (byte)'%' ? 1 : 3);

    protected static IReadOnlyList<string> MissingSubjects(RpcException failure) => MissingSubjects(failure.ToStatus());

    protected static IReadOnlyList<string> MissingSubjects(RpcStatus status) =>
    [
        .. status.Details
            .Single(detail => detail.Is(Google.Rpc.PreconditionFailure.Descriptor))
            .Unpack<Google.Rpc.PreconditionFailure>()
            .Violations.Select(violation => $"{violation.Type} {violation.Subject}"),
    ];

    /// <summary>An action that runs <c>true</c> in an empty tree, stored with its command.</summary>
    protected async Task<Digest> StoreActionAsync(Action<WireAction>? change = null, Action<WireCommand>? changeCommand = null)
    {
        var command = new WireCommand { Arguments = { "true" } };
        changeCommand?.Invoke(command);
        var action = new WireAction
        {
            CommandDigest = (await StoreAsync(command)).ToWire(),
            InputRootDigest = Digest.Empty(DigestFunction.Sha256).ToWire(),
        };
        change?.Invoke(action);
        return await StoreAsync(action);
    }

    protected async Task<ScriptedWorker> JoinAsync(string id = "w1", params string[] properties)
    {
        var worker = new ScriptedWorker(WorkerPool, Soon);
        await worker.GreetAsync(id, properties);
        return worker;
    }

    /// <summary>A lost attempt waits before the next.</summary>
    protected async Task WaitOutLostAttemptAsync()
    {
        var wait = Scheduler.Options.AttemptWaitFirst;
        await Time.WaitForTimerAsync(wait / 2, wait);
        Time.Advance(wait);
    }

    private async Task StartAsync()
    {
        var writer = new ActionCacheWriter(Cache, Store, Options, Producers);
        Scheduler = new Scheduler(
            new SchedulerOptions { UnsatisfiableMax = UnsatisfiableMax }, Journal, Time, writer.OnCompletedAsync);
        await Scheduler.StartAsync(Soon);
        _services = new ServicesComposition(new ChunkedBlobStore(Served, ChunkLists), Cache, Scheduler, Options, Time, producers: Producers);
        _server = await RpcLoopback.StartAsync(_services.Methods, new RpcServerOptions { Failures = ServicesComposition.ToRpc, Observers = Observers, Time = PortTime }, Log);
        Channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1, ReceiveBytesMax = 64 << 20 });
    }
}
