using Grpc.Core;

namespace RemoteExec.Protocol;

/// <summary>
/// The details of a failure, as bytes: a serialised <c>google.rpc.Status</c> in the trailer
/// <c>grpc-status-details-bin</c>. This assembly carries it and does not look inside.
/// </summary>
public static class RichStatus
{
    public const string TrailerName = "grpc-status-details-bin";

    public static RpcException Exception(StatusCode code, string detail, byte[] serializedStatus) =>
        new(new Status(code, detail), new Metadata { { TrailerName, serializedStatus } });

    /// <summary>The details of a failed call, if the server sent any.</summary>
    public static byte[]? DetailsOf(RpcException exception) => exception.Trailers.GetValueBytes(TrailerName);
}
