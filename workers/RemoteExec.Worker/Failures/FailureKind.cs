namespace RemoteExec.Worker;

/// <summary>What went wrong, as far as an exception tells it; <see cref="BlameTable"/> says whose fault that is in which stage.</summary>
internal enum FailureKind
{
    /// <summary>INVALID_ARGUMENT by a check of ours: it is not what the protocol says.</summary>
    Malformed,

    /// <summary>FAILED_PRECONDITION by a check of ours: blobs that are nowhere, outputs of the wrong kind.</summary>
    Unmet,

    /// <summary>RESOURCE_EXHAUSTED by a check of ours: more than the limits allow.</summary>
    TooMuch,

    /// <summary>Any other code by a check of ours: something of this worker is not as it should be.</summary>
    Amiss,

    /// <summary>A name that no file can have, a path that is too long, a directory where there should be none.</summary>
    Name,

    /// <summary>This machine refused: disk full, no descriptor left, directory gone.</summary>
    Machine,

    /// <summary>The worker's own store, whatever it says.</summary>
    OwnStore,

    /// <summary>The worker's own store found other content than it was promised.</summary>
    OwnStoreContent,

    /// <summary>The store that all share: full, unreachable, out of order.</summary>
    SharedStore,

    /// <summary>The store that all share does not take such a blob.</summary>
    SharedStoreRefusal,

    /// <summary>An exception that nobody thought of.</summary>
    Unknown,
}
