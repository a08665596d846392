using System.Security.Cryptography.X509Certificates;

namespace RemoteExec.Rpc;

/// <summary>Settings of a client's channel.</summary>
public sealed record RpcChannelOptions
{
    /// <summary>The largest response message; gRPC's usual 4 MiB is too little for REAPI batches, so they raise it.</summary>
    public int ReceiveBytesMax { get; init; } = 16 * 1024 * 1024;

    public RetryPolicy Retry { get; init; } = RetryPolicy.Default;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection with running calls may be silent before it is pinged.</summary>
    public TimeSpan KeepAlivePingDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the answer to a ping may take before the connection counts as lost.</summary>
    public TimeSpan KeepAlivePingTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>Compress requests with gzip.</summary>
    public bool CompressRequests { get; init; }

    /// <summary>The roots that an https server must lead to; null: the system's.</summary>
    public X509Certificate2Collection? ServerRoots { get; init; }

    /// <summary>How this client proves itself to an https server that asks.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    public IReadOnlyList<IRpcObserver> Observers { get; init; } = [];

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
