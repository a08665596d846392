using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>The scheduler knows no gRPC; its refusals have the same numbers. The port's one place for failures asks here.</summary>
internal static class SchedulingFailures
{
    public static RpcException ToRpc(this SchedulingException refused) => refused.RetryAfter is { } delay
        ? RpcErrors.Of((StatusCode)(int)refused.Code, refused.Message, new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) })
        : RpcErrors.Of((StatusCode)(int)refused.Code, refused.Message);
}
