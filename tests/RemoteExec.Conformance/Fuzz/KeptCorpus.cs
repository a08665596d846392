using System.IO.Compression;

namespace RemoteExec.Conformance;

/// <summary>
/// What every test run sends, as bytes: neither a method more nor another mutator changes it. Made of the first 2,000 of a seed; since then lines are only added, for what was found.
/// <code>
/// METHOD framed|unframed BODY [BLOB…]     each of these: base64 of deflate
/// </code>
/// </summary>
internal static class KeptCorpus
{
    public const int Seed = 2026;

    private const string Framed = "framed";
    private const string Unframed = "unframed";

    public static IReadOnlyList<FuzzCase> Read()
    {
        using var lines = new StreamReader(typeof(KeptCorpus).Assembly.GetManifestResourceStream("kept.txt") ?? throw new InvalidOperationException("kept.txt is not in this program"));
        var cases = new List<FuzzCase>();
        while (lines.ReadLine() is { } line) cases.Add(Parse(line));
        return cases;
    }

    /// <summary>The line to add.</summary>
    public static string Format(FuzzCase kept) =>
        string.Join(' ', [kept.Method.Name, kept.IsFramed ? Framed : Unframed, Pack(kept.Body), .. kept.Blobs.Select(Pack)]);

    public static FuzzCase Parse(string line)
    {
        string[] columns = line.Split(' ');
        return new FuzzCase(FuzzMethods.All.Single(method => method.Name == columns[0]), Unpack(columns[2]), columns[1] == Framed, [.. columns[3..].Select(Unpack)]);
    }

    private static string Pack(byte[] bytes)
    {
        using var packed = new MemoryStream();
        using (var deflate = new DeflateStream(packed, CompressionLevel.SmallestSize, leaveOpen: true)) deflate.Write(bytes);
        return Convert.ToBase64String(packed.ToArray());
    }

    private static byte[] Unpack(string text)
    {
        using var deflate = new DeflateStream(new MemoryStream(Convert.FromBase64String(text)), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        deflate.CopyTo(bytes);
        return bytes.ToArray();
    }
}
