using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

internal static class DigestSpans
{
    /// <summary>A part of a list, of the kinds that callers have without a copy.</summary>
    public static ReadOnlySpan<Digest> Of(IReadOnlyList<Digest> digests, int start, int count) => digests switch
    {
        ArraySegment<Digest> segment => segment.AsSpan(start, count),
        Digest[] array => array.AsSpan(start, count),
        List<Digest> list => CollectionsMarshal.AsSpan(list).Slice(start, count),
        _ => digests.Skip(start).Take(count).ToArray(),
    };
}
