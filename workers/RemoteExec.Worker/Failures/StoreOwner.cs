namespace RemoteExec.Worker;

/// <summary>Whose store it is.</summary>
internal enum StoreOwner
{
    /// <summary>This worker's: a cache, and room for what its actions make.</summary>
    Worker,

    /// <summary>The one that all share. In the all-in-one the worker works in it directly.</summary>
    Everybody,
}
