namespace RemoteExec.Storage;

/// <summary>For how long a blob is promised. The more of the store is promised, the less is added for hits, so that uploads are not refused for their sake.</summary>
/// <remarks>
/// A hit promises the outputs of a whole build to a client that mostly never fetches them, and a build that is all hits promises as much as one that
/// uploads everything. Uploads and what a client was told by FindMissingBlobs keep the whole time: the client counts on it, and cannot ask again.
/// </remarks>
internal sealed class RetentionRule(TimeSpan whole)
{
    /// <summary>What a hit is good for when the store is half promised: Buck2's <c>cas_ttl_secs</c>, after which it asks again by itself.</summary>
    public static readonly TimeSpan BriefMax = TimeSpan.FromHours(3);

    /// <param name="isHalfPromised">More than half of what the store may hold, by bytes or by blobs.</param>
    public TimeSpan For(PromiseKind kind, bool isHalfPromised) =>
        kind == PromiseKind.Hit && isHalfPromised && whole > BriefMax ? BriefMax : whole;
}
