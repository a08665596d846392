namespace RemoteExec.Storage;

/// <summary>Gets what a use log has, in no order; of several uses of a blob the latest counts.</summary>
internal interface IUseTaker
{
    /// <summary>So many will come, more or less; before all others.</summary>
    void Expect(long uses);

    /// <summary>The places that come are right in segments that are still as these were, and in no others.</summary>
    void Claim(ReadOnlySpan<SegmentClaim> claims);

    /// <summary>Uses with places; at most <see cref="BlobIndex.EntriesPerHold"/>.</summary>
    /// <param name="areNew">None of them was among those that came in this way before.</param>
    void Remember(ReadOnlySpan<BlobUse> uses, bool areNew);

    /// <summary>At most <see cref="BlobIndex.EntriesPerHold"/>.</summary>
    void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs);
}
