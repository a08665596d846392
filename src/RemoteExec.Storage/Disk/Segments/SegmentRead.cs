namespace RemoteExec.Storage;

internal enum SegmentRead
{
    Whole,

    /// <summary>The segment is not there any more: the blob has another place by now, or none.</summary>
    Gone,

    /// <summary>The disk does not give back what was written.</summary>
    Bad,
}
