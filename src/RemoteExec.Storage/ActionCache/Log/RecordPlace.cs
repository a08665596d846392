namespace RemoteExec.Storage;

/// <summary>Where a whole record is, head included.</summary>
internal readonly record struct RecordPlace(CacheSegment Segment, long Offset, int Bytes);
