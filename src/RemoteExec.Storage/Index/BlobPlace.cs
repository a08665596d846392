namespace RemoteExec.Storage;

/// <summary>Where in a segment a blob's record begins. Segments count from 1: <c>default</c> is "not in a segment".</summary>
internal readonly record struct BlobPlace(int Segment, int Offset)
{
    public bool IsNone => Segment == 0;
}
