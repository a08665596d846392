namespace RemoteExec.Storage;

/// <summary>Gets what a use log has, in no order; of several uses of a blob the latest counts.</summary>
internal interface IUseTaker
{
    /// <summary>So many will come, more or less; before all others.</summary>
    void Expect(long uses);

    /// <summary>At most <see cref="BlobTable.TogetherMax"/>.</summary>
    void Remember(ReadOnlySpan<Digest> digests, ReadOnlySpan<long> usesMs);
}
