namespace RemoteExec.Storage;

/// <summary>How full a store is, at one instant.</summary>
/// <param name="UsedBytes">Sum of the sizes of the stored files, second variants included, and of the blobs that are in segments.</param>
/// <param name="ReservedBytes">Set aside for uploads under way.</param>
/// <param name="PromisedBytes">Of <paramref name="UsedBytes"/>, what may not be evicted yet. When it comes near the limit, uploads are refused.</param>
/// <param name="LimitBytes">Used and reserved together never exceed it.</param>
/// <param name="Blobs">Number of distinct digests.</param>
/// <param name="OldestUse">Last use of the blob that would be evicted first; null when the store is empty.</param>
/// <param name="EvictedBytes">Evicted since the store was opened.</param>
/// <param name="EvictedAge">How long the blob that was evicted last had not been used: what the store can remember; null when nothing was.</param>
/// <param name="IsSuspect">The disk has failed a flush: what it says since then is not to be trusted.</param>
public sealed record BlobStoreUsage(
    long UsedBytes,
    long ReservedBytes,
    long PromisedBytes,
    long LimitBytes,
    long Blobs,
    DateTimeOffset? OldestUse,
    long EvictedBytes,
    TimeSpan? EvictedAge,
    bool IsSuspect)
{
    /// <summary>For how long a blob is promised that is used now.</summary>
    public TimeSpan Retention { get; init; }

    /// <summary>For how long one is that is part of a cache hit now: less, when more than half of the store is promised.</summary>
    public TimeSpan HitRetention { get; init; }
}
