using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>What a service may ask of the call that it serves.</summary>
public static class RpcCallContexts
{
    /// <summary>
    /// Disposes it when the answer has left, or nobody takes it any more: later than its handler ends, except for an answer of less than a frame.
    /// </summary>
    public static void HoldUntilSent(this ServerCallContext context, IDisposable held) => RpcCall.Of(context).Hold(held);

    /// <summary>
    /// What the client said first tells that it may be silent for so long, whatever <see cref="RpcLimits.ReceiveIdleMax"/> its method has.
    /// </summary>
    public static void SetReceiveIdleMax(this ServerCallContext context, TimeSpan max) => RpcCall.Of(context).ReceiveIdleMax = max;
}
