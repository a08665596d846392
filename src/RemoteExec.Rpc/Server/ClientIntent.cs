using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>What a client meant by leaving a call, for handlers whose work outlives calls.</summary>
public static class ClientIntent
{
    /// <summary>
    /// The client has cancelled this call: it does not want it any more. False while it is there, and when it was lost with its connection,
    /// or gone with a GOAWAY, and may come back.
    /// </summary>
    public static bool HasClientCancelled(this ServerCallContext context) => RpcCall.Of(context).HasClientCancelled;
}
