using System.Text;

namespace RemoteExec.Rpc.Tests;

/// <summary>
/// As much of RFC 7541 as a test peer needs: it writes literals only, and asks for a dynamic table of size 0, so
/// that it reads the static table and literals only.
/// </summary>
internal static class Hpack
{
    // RFC 7541 appendix A; where a name has several values, "name=value" keeps the value.
    private static readonly string[] StaticTable =
    [
        ":authority", ":method=GET", ":method=POST", ":path=/", ":path=/index.html", ":scheme=http", ":scheme=https",
        ":status=200", ":status=204", ":status=206", ":status=304", ":status=400", ":status=404", ":status=500",
        "accept-charset", "accept-encoding=gzip, deflate", "accept-language", "accept-ranges", "accept",
        "access-control-allow-origin", "age", "allow", "authorization", "cache-control", "content-disposition",
        "content-encoding", "content-language", "content-length", "content-location", "content-range", "content-type",
        "cookie", "date", "etag", "expect", "expires", "from", "host", "if-match", "if-modified-since",
        "if-none-match", "if-range", "if-unmodified-since", "last-modified", "link", "location", "max-forwards",
        "proxy-authenticate", "proxy-authorization", "range", "referer", "refresh", "retry-after", "server",
        "set-cookie", "strict-transport-security", "transfer-encoding", "user-agent", "vary", "via", "www-authenticate",
    ];

    public static byte[] Encode(params (string Name, string Value)[] headers)
    {
        using var block = new MemoryStream();
        foreach (var (name, value) in headers)
        {
            block.WriteByte(0x00); // literal without indexing, new name (section 6.2.2)
            WriteString(block, name);
            WriteString(block, value);
        }

        return block.ToArray();
    }

    public static List<(string Name, string Value)> Decode(ReadOnlySpan<byte> block)
    {
        var headers = new List<(string, string)>();
        while (!block.IsEmpty)
        {
            byte first = block[0];
            if ((first & 0x80) != 0) // indexed (6.1)
            {
                string[] entry = StaticTable[ReadInteger(ref block, 7) - 1].Split('=', 2);
                headers.Add((entry[0], entry.Length > 1 ? entry[1] : ""));
                continue;
            }

            if ((first & 0xE0) == 0x20) // table size update (6.3)
            {
                Assert.That(ReadInteger(ref block, 5), Is.Zero, "the peer asked for no dynamic table");
                continue;
            }

            int nameIndex = ReadInteger(ref block, (first & 0x40) != 0 ? 6 : 4); // literal (6.2)
            string name = nameIndex > 0 ? StaticTable[nameIndex - 1].Split('=', 2)[0] : ReadString(ref block);
            headers.Add((name, ReadString(ref block)));
        }

        return headers;
    }

    private static void WriteString(MemoryStream block, string text)
    {
        byte[] bytes = Encoding.Latin1.GetBytes(text);
        if (bytes.Length < 127)
        {
            block.WriteByte((byte)bytes.Length);
        }
        else
        {
            block.WriteByte(127);
            int rest = bytes.Length - 127;
            for (; rest >= 128; rest >>= 7) block.WriteByte((byte)(rest & 0x7F | 0x80));
            block.WriteByte((byte)rest);
        }

        block.Write(bytes);
    }

    // Section 5.1.
    private static int ReadInteger(ref ReadOnlySpan<byte> block, int prefixBits)
    {
        int mask = (1 << prefixBits) - 1;
        int value = block[0] & mask;
        block = block[1..];
        if (value < mask) return value;
        for (int shift = 0; ; shift += 7)
        {
            byte next = block[0];
            block = block[1..];
            value += (next & 0x7F) << shift;
            if ((next & 0x80) == 0) return value;
        }
    }

    private static string ReadString(ref ReadOnlySpan<byte> block)
    {
        bool isHuffman = (block[0] & 0x80) != 0;
        int length = ReadInteger(ref block, 7);
        var bytes = block[..length];
        block = block[length..];
        return isHuffman ? HpackHuffman.Decode(bytes) : Encoding.Latin1.GetString(bytes);
    }
}
