using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Settings of a gRPC port. Why the transport's limits are what they are: TransportLimits.</summary>
public sealed record RpcServerOptions
{
    private const int ConnectionsMost = 20_000;

    /// <summary>The largest request message of a method that has no limit of its own. gRPC's usual 4 MiB.</summary>
    public int ReceiveBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>How long a client may send nothing of a request that is waited for, where the method has no limit of its own.</summary>
    public TimeSpan ReceiveIdleMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// How long a client may leave us with bytes that it does not take, before its call is reset. One that takes some, however slowly, has ten
    /// times as long for each message.
    /// </summary>
    public TimeSpan SendStallMax { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>A client's clock comes to a deadline before ours does, by the way to us: what it resets so close to one was late, and is not cancelled.</summary>
    public TimeSpan DeadlineSlack { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Each takes a file descriptor: <see cref="ConnectionsMaxOf"/>.</summary>
    public int ConnectionsMax { get; init; } = ConnectionsMost;

    public int StreamsPerConnectionMax { get; init; } = 1_000;

    /// <summary>The answer to a browser or an old client that speaks HTTP/1 to this port.</summary>
    public string Http1Answer { get; init; } = "This port speaks gRPC (HTTP/2).";

    /// <summary>What the domain's own failures are on the wire; null for an exception that it does not know.</summary>
    public Func<Exception, RpcException?> Failures { get; init; } = _ => null;

    /// <summary>How streams end that would never end by themselves, when the server leaves.</summary>
    public Func<RpcException> Leaving { get; init; } = () => new RpcException(new Status(StatusCode.Unavailable, "the server is shutting down"));

    public IReadOnlyList<IRpcObserver> Observers { get; init; } = [];

    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Where descriptors are scarce, connections get a quarter of them. When none is left more than a call fails: the runtime, which makes a pipe
    /// with each new thread, ends the process ("Out of memory.").
    /// </summary>
    /// <param name="openFilesMax">Null where nothing bounds them.</param>
    public static int ConnectionsMaxOf(long? openFilesMax) => (int)Math.Clamp((openFilesMax ?? long.MaxValue) / 4, 1, ConnectionsMost);
}
