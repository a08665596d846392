using Grpc.Core;

namespace RemoteExec.Worker;

/// <summary>A failure of a store, with the word whose store it is: a code alone does not tell a full cache from a full server.</summary>
internal sealed class StoreFailure(StoreOwner owner, RpcException failure) : RpcException(failure.Status, failure.Trailers, failure.Message)
{
    public StoreOwner Owner { get; } = owner;
}
