using Grpc.Core;

namespace RemoteExec.Worker;

/// <summary>A failure of a store, with the word whose store it is: a code alone does not tell a full cache from a full server.</summary>
internal sealed class StoreFailure(StoreOwner owner, RpcException failure) : RpcException(failure.Status, failure.Trailers, failure.Message)
{
    public StoreOwner Owner { get; } = owner;
}

/// <summary>Whose store it is.</summary>
internal enum StoreOwner
{
    /// <summary>This worker's: a cache, and room for what its actions make.</summary>
    Worker,

    /// <summary>The one that all share. In the all-in-one the worker works in it directly.</summary>
    Everybody,
}
