namespace RemoteExec.Storage;

/// <summary>Some of all the blobs of an index (<see cref="BlobIndex.RecordAll"/>).</summary>
internal sealed class UseSlice : List<BlobUse>
{
    /// <summary>None of them was in a slice before.</summary>
    public bool AreNew { get; set; }
}
