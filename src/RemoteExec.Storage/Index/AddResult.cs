namespace RemoteExec.Storage;

internal enum AddResult
{
    /// <summary>The index could not take it; its reservation is still the caller's to return.</summary>
    NotAdded,

    Added,

    /// <summary>The index has the blob, where it was before; the promise is renewed, and the reservation given back.</summary>
    Present,
}
