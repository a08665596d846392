namespace RemoteExec.Storage;

/// <summary>For how long a blob is promised. The more of the store is promised, the less is added for hits, so that uploads are not refused for their sake.</summary>
/// <remarks>
/// A hit promises the outputs of a whole build to a client that mostly never fetches them, and a build that is all hits promises as much as one that
/// uploads everything. A result may be stored with the wish to be kept for less or for longer: less takes nothing away from what was promised before, and longer is
/// had while there is room that nobody is promised. Uploads and what a client was told by FindMissingBlobs keep the whole time: the client counts on it, and cannot ask again.
/// </remarks>
internal sealed class RetentionRule(TimeSpan whole)
{
    /// <summary>What a hit is good for when the store is half promised: Buck2's <c>cas_ttl_secs</c>, after which it asks again by itself.</summary>
    public static readonly TimeSpan BriefMax = TimeSpan.FromHours(3);

    /// <summary>No wish of a client keeps anything for longer from one use on.</summary>
    public TimeSpan Longest => whole + (whole / 2);

    private TimeSpan Brief => whole > BriefMax ? BriefMax : whole;

    /// <param name="isHalfPromised">More than half of what the store may hold, by bytes or by blobs.</param>
    public TimeSpan For(PromiseKind kind, bool isHalfPromised) => kind switch
    {
        PromiseKind.Brief => Brief,
        PromiseKind.Hit when isHalfPromised => Brief,
        PromiseKind.Long when !isHalfPromised => Longest,
        _ => whole,
    };
}
