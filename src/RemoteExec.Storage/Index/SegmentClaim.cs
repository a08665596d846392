namespace RemoteExec.Storage;

/// <summary>A full segment as it was when a log of uses began: while it still is, the log says which of its records count, and nobody has to read them.</summary>
/// <param name="FooterChecksum">That of its footer, and so of what lies where in it: another segment with the same number has another one.</param>
/// <param name="DeadBytes">How long the file beside it was.</param>
/// <param name="LivingBytes">Of the records that count. Where those of the log come to less, one of them went while it was written.</param>
internal readonly record struct SegmentClaim(int Segment, uint FooterChecksum, long DeadBytes, long LivingBytes);
