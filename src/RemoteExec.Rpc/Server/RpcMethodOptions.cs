namespace RemoteExec.Rpc;

/// <summary>What one method is allowed, where it differs from the server's default.</summary>
public sealed record RpcMethodOptions
{
    /// <summary>The largest request message. Null: the server's.</summary>
    public int? ReceiveBytesMax { get; init; }

    /// <summary>How long a client may send nothing while the handler waits for its next message. Null: for ever.</summary>
    public TimeSpan? ReceiveIdleMax { get; init; }
}
