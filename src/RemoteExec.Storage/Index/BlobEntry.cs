namespace RemoteExec.Storage;

/// <summary>One stored blob as the index knows it; a link of the list of uses. Guarded by the index's lock.</summary>
internal sealed class BlobEntry(in StoredBlob blob)
{
    public StoredBlob Blob { get; set; } = blob;

    public Digest Digest => Blob.Digest;

    public long AccountedBytes => Blob.AccountedBytes;

    public long LastUseMs { get; set; }

    /// <summary>The use that a restart will remember; never later than <see cref="LastUseMs"/>.</summary>
    public long RecordedUseMs { get; set; }

    /// <summary>The log that was told of it last while it was written anew.</summary>
    public int Generation { get; set; }

    /// <summary>Its promise was found to have ended, and it was not used since.</summary>
    public bool IsExpired { get; set; }

    public BlobEntry? Older { get; set; }

    public BlobEntry? Newer { get; set; }
}
