using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using System.Threading.Channels;

namespace RemoteExec.Worker.Tests;

/// <summary>Hands a worker one in-memory stream after another, and plays the coordinator on each.</summary>
internal sealed class ScriptedCoordinator : IWorkerConnector
{
    private readonly Channel<InMemoryCoordinatorStream> _streams = Channel.CreateUnbounded<InMemoryCoordinatorStream>();

    public ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var (worker, coordinator) = InMemoryWorkerConnection.CreatePair();
        _streams.Writer.TryWrite(coordinator);
        return ValueTask.FromResult<IWorkerConnection>(worker);
    }

    /// <summary>The worker's next connection, welcomed; answers its hello.</summary>
    public async Task<(InMemoryCoordinatorStream Stream, Hello Hello)> WelcomeAsync()
    {
        var stream = await _streams.Reader.ReadAsync();
        Assert.That(await stream.MoveNext(CancellationToken.None));
        var hello = stream.Current.Hello;
        Assert.That(hello, Is.Not.Null, "hello comes first");
        var welcome = new Welcome { HeartbeatInterval = Duration.FromTimeSpan(TimeSpan.FromHours(1)), CoordinatorVersion = "test" };
        await stream.WriteAsync(new CoordinatorMessage { Welcome = welcome });
        return (stream, hello);
    }

    public async Task<InMemoryCoordinatorStream> NextStreamAsync() => await _streams.Reader.ReadAsync();
}

internal static class CoordinatorStreamExtensions
{
    public static LeaseId Id(string execution, int attempt = 1) => new() { ExecutionId = execution, Attempt = attempt };

    public static Task LeaseAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { Lease = new Lease { Lease_ = id } });

    public static Task CancelAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { CancelLease = new CancelLease { Lease = id } });

    public static Task AcknowledgeAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { FinishAcknowledged = new FinishAcknowledged { Lease = id } });

    public static async Task<WorkerMessage> NextAsync(this InMemoryCoordinatorStream stream)
    {
        Assert.That(await stream.MoveNext(CancellationToken.None), "the worker has left");
        return stream.Current;
    }

    public static RpcException Lost() => new(new Status(StatusCode.Unavailable, "connection reset"));
}
