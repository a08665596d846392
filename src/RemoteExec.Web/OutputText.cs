using System.Globalization;
using System.Text;

namespace RemoteExec.Web;

/// <summary>
/// As much of a command's output as a page shows: all of it, or both its ends, since what went wrong stands in the last lines. A line
/// between them says how much is not shown; what is downloaded has no such line.
/// </summary>
internal static class OutputText
{
    /// <summary>Of each end, when not all is shown.</summary>
    public const int EndBytes = 32 << 10;

    /// <param name="head">The first bytes that are at hand, and <paramref name="tail"/> the last, of so many.</param>
    public static OutputView Show(ReadOnlySpan<byte> head, ReadOnlySpan<byte> tail, long sizeBytes, string blobUrl)
    {
        long between = sizeBytes - head.Length - tail.Length;
        if (between == 0 && sizeBytes <= 2 * EndBytes) return new OutputView(Encoding.UTF8.GetString([.. head, .. tail]), false, sizeBytes, blobUrl);

        if (head.Length > EndBytes) head = head[..EndBytes];
        if (tail.Length > EndBytes) tail = tail[^EndBytes..];
        string mark = string.Create(CultureInfo.InvariantCulture, $"\n… {sizeBytes - head.Length - tail.Length} bytes are not shown here …\n");
        return new OutputView(Encoding.UTF8.GetString(head) + mark + Encoding.UTF8.GetString(tail), true, sizeBytes, blobUrl);
    }
}
