namespace RemoteExec.Rpc;

/// <summary>Settings of a client's channel.</summary>
public sealed record RpcChannelOptions
{
    /// <summary>The largest response message; gRPC's usual 4 MiB is too little for REAPI batches, so they raise it.</summary>
    public int ReceiveBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>
    /// How often a call is tried that met UNAVAILABLE before its response headers: six times ride out a restart. 1: calls that must not
    /// happen twice, or whose caller has a backoff of its own.
    /// </summary>
    public int AttemptsMax { get; init; } = 6;

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection with running calls may be silent before it is pinged.</summary>
    public TimeSpan KeepAlivePingDelay { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long the answer to a ping may take before the connection counts as lost.</summary>
    public TimeSpan KeepAlivePingTimeout { get; init; } = TimeSpan.FromSeconds(20);
}
