using System.Net;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace RemoteExec.Rpc;

/// <summary>Settings of a server. Why the transport's limits are what they are: TransportLimits.</summary>
public sealed record RpcServerOptions
{
    /// <summary>Where to listen; port 0 takes a free one (<see cref="RpcServer.EndPoint"/> tells which).</summary>
    public IPEndPoint EndPoint { get; init; } = new(IPAddress.Loopback, 0);

    /// <summary>Null: HTTP/2 without TLS, by prior knowledge (RFC 9113 section 3.3).</summary>
    public RpcServerTls? Tls { get; init; }

    /// <summary>The largest request message of a method that has no limit of its own. gRPC's usual 4 MiB.</summary>
    public int ReceiveBytesMax { get; init; } = 4 * 1024 * 1024;

    /// <summary>Differences by full name, <c>/service/method</c>.</summary>
    public IReadOnlyDictionary<string, RpcMethodOptions> Methods { get; init; } =
        new Dictionary<string, RpcMethodOptions>();

    /// <summary>Compress answers to clients that accept gzip.</summary>
    public bool CompressResponses { get; init; }

    /// <summary>How long a client may leave us with bytes that it does not take, before its call is reset.</summary>
    public TimeSpan SendStallMax { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long running calls may take to finish once the server stops.</summary>
    public TimeSpan DrainMax { get; init; } = TimeSpan.FromSeconds(30);

    public int ConnectionsMax { get; init; } = 20_000;

    public int StreamsPerConnectionMax { get; init; } = 1_000;

    /// <summary>The answer to a browser or an old client that speaks HTTP/1 to this port.</summary>
    public string Http1Answer { get; init; } = "This port speaks gRPC (HTTP/2).";

    public IReadOnlyList<IRpcObserver> Observers { get; init; } = [];

    public TimeProvider Time { get; init; } = TimeProvider.System;

    public ILoggerFactory Log { get; init; } = NullLoggerFactory.Instance;
}
