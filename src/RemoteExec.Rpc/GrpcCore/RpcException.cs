namespace Grpc.Core;

/// <summary>
/// A failure with a gRPC code: thrown by a handler it becomes the call's status and trailers, thrown by a client
/// call it is the server's status and trailers.
/// </summary>
public sealed class RpcException : Exception
{
    public RpcException(Status status) : this(status, []) { }

    public RpcException(Status status, string message) : this(status, [], message) { }

    public RpcException(Status status, Metadata trailers) : this(status, trailers, status.ToString()) { }

    public RpcException(Status status, Metadata trailers, string message) : base(message, status.DebugException)
    {
        Status = status;
        Trailers = trailers;
    }

    public Status Status { get; }

    public StatusCode StatusCode => Status.StatusCode;

    public Metadata Trailers { get; }
}
