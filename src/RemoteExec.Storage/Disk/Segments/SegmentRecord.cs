namespace RemoteExec.Storage;

/// <summary>Where one blob's record begins in a segment.</summary>
internal readonly record struct SegmentRecord(Digest Digest, int Offset)
{
    /// <summary>Head and data.</summary>
    public int LengthBytes => SegmentFormat.RecordBytes(Digest);

    public int End => Offset + LengthBytes;
}
