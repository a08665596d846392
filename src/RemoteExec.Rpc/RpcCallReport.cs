using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// What one finished call was. <see cref="Method"/> is <c>/service/method</c> of a served method, or <see cref="UnknownMethod"/>: a
/// name that a client made up never becomes a metric's label. The bytes are those of <see cref="IRpcMessage"/>s.
/// </summary>
public readonly record struct RpcCallReport(
    string Method, StatusCode StatusCode, TimeSpan Duration, long ReceivedBytes, long SentBytes)
{
    public const string UnknownMethod = "unknown";
}
