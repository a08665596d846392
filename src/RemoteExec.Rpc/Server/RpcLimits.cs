using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>What one group of methods is allowed, where it differs from the port's default.</summary>
public sealed record RpcLimits
{
    public static readonly RpcLimits Default = new();

    /// <summary>The largest request message. Null: the port's.</summary>
    public int? ReceiveBytesMax { get; init; }

    /// <summary>What a larger message is told; null: RESOURCE_EXHAUSTED, as gRPC has it.</summary>
    public RpcException? TooLarge { get; init; }

    /// <summary>How long a client may send nothing while its next bytes are waited for. Null: the port's.</summary>
    public TimeSpan? ReceiveIdleMax { get; init; }

    /// <summary>These streams have no end of their own: they are ended when the server leaves.</summary>
    public bool EndsWithServer { get; init; }
}
