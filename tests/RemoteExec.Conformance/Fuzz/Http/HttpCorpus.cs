using System.Globalization;
using System.Text;
using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>The mutants of a seed, each by its number. See <see cref="FuzzCorpus"/>.</summary>
internal static class HttpCorpus
{
    private static readonly string[] Instances = ["some/instance/", "/", "a//", "../", "./", "%2e%2e/", "a%2Fb/", "blobs/", "operations/", "%C3%A9/", "%00/", "%zz/", "\u00e9/", new string('i', 5000) + "/", "ac/", "v2/", "?/", "#/"];
    private static readonly string[] Methods = ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "CONNECT", "get", "BREW", "G\u00cbT"];
    private static readonly string[] Insertions = ["/", "//", "..", ":", "::", "%", "%2F", "%00", "%3a", " ", "\t", "\u00e9", "?", "#", ";", "\\", "*", "+", "-", "0", "Z", ":getTree"];
    private static readonly string[] ContentTypes = ["application/json", "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "application/json+x", "text/plain", "", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "a\u00e9/json"];

    private static readonly string[] Odd =
    [
        "Range: bytes=0-3", "Range: bytes=-1", "Range: bytes=9-1,2-", "Range: lines=1", "Expect: 100-continue", "Expect: 200-ok", "Accept-Encoding: gzip, br;q=0", "Content-Encoding: gzip", "Content-Encoding: zstd",
        "If-None-Match: *", "If-Modified-Since: yesterday", "X-HTTP-Method-Override: DELETE", "Content-Range: bytes 0-3/100", "build.bazel.remote.execution.v2.requestmetadata-bin: !!!",
        "build.bazel.remote.execution.v2.requestmetadata-bin: AAAA", "grpc-timeout: 1n", "Origin: http://evil.example", "X-Forwarded-Proto: https", "Cookie: a=b; c", "Upgrade: h2c", "Accept: application/grpc", "X-Long: " + new string('x', 9000),
        "X-Empty:", "no colon", " folded: x", "X\u00e9: 1", "X-Nul: \0", "Date: never", "Trailer: x", "TE: trailers", "Keep-Alive: -1", "Authorization: Basic !!!!",
    ];

    // Each as the only header of its kind. Of a length that is right nothing has to be said here.
    private static readonly string[] WrongLengths = ["Content-Length: -1", "Content-Length: x", "Content-Length:", "Content-Length: 1, 2", "Content-Length: 99999999999999999999999", "Content-Length: 0x10", "Content-Length: 1\r\nContent-Length: 2"];

    public static HttpMutant Make(IReadOnlyList<HttpRoute> routes, string host, int seed, int number)
    {
        var random = new Random(unchecked((seed * 1_000_003) + number));
        var route = routes[number % routes.Count];
        string method = random.Next(15) == 0 ? Pick(random, Methods) : route.Method;
        string version = random.Next(40) == 0 ? Pick(random, ["HTTP/1.0", "HTTP/1.2", "HTTP/2.0", "HTTP/11", "http/1.1", ""]) : "HTTP/1.1";
        byte[] body = BodyOf(route, random);

        var head = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $"{method} {TargetOf(route, random)} {version}\r\n"));
        Add(head, $"Host: {(random.Next(30) == 0 ? Pick(random, ["evil.example", "", "localhost", "[::1]:x", "a b", $"{host}\r\nHost: {host}"]) : host)}");
        if (route.Seed is not null || random.Next(10) == 0) Add(head, $"Content-Type: {(random.Next(8) == 0 ? Pick(random, ContentTypes) : "application/json")}");
        for (int i = random.Next(3) == 0 ? random.Next(1, 4) : 0; i > 0; i--) Add(head, Pick(random, Odd));
        (byte[] framed, var wholeness) = Frame(head, body, random);
        // The end of the answer is the end of the connection.
        Add(head, "Connection: close");
        head.Append("\r\n");

        var mutant = new HttpMutant(route.Name, host, Encoding.UTF8.GetBytes(head.ToString()), framed, wholeness);
        return random.Next(12) == 0 ? Garble(mutant, random) : mutant;
    }

    private static void Add(StringBuilder head, string line) => head.Append(line).Append("\r\n");

    private static string Pick(Random random, string[] values) => values[random.Next(values.Length)];

    private static string TargetOf(HttpRoute route, Random random)
    {
        string path = route.Path.Replace("{i}", random.Next(3) == 0 ? Pick(random, Instances) : "", StringComparison.Ordinal);
        path = random.Next(24) switch
        {
            0 => path.Insert(random.Next(1, path.Length + 1), Pick(random, Insertions)),
            1 => path.Remove(random.Next(1, path.Length)),
            2 => path.Remove(random.Next(1, path.Length), 1),
            3 => path.ToUpperInvariant(),
            4 => Digits(path, random),
            5 => Pick(random, ["*", "", "http://other.example" + path, "//" + path, path + new string('x', 9000), path + "/"]),
            _ => path,
        };
        var query = route.Query.Where(_ => random.Next(2) == 0).Select(parameter => random.Next(4) == 0 ? Wrong(parameter, random) : parameter).ToList();
        if (random.Next(10) == 0) query.Add(Pick(random, ["x=1", "=", "&&", "%", "a.b.c=1", "actionDigest.hash=x", "instanceName=a", "instance_name=%00", "pageSize", string.Concat(Enumerable.Repeat("a=1&", 500)), "digestFunction=99"]));
        return query.Count == 0 ? path : $"{path}?{string.Join('&', query)}";
    }

    // A hash and a size are most of a path.
    private static string Digits(string path, Random random)
    {
        int at = path.LastIndexOf('/') + 1;
        return path[..at] + Pick(random, ["-1", "0", "9223372036854775807", "9223372036854775808", "+5", "1e3", "%30", "\u0661", "", "00", "7:x:y"]) + path[at..].TrimStart('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
    }

    private static string Wrong(string parameter, Random random) => random.Next(3) switch
    {
        0 => parameter[..(parameter.IndexOf('=', StringComparison.Ordinal) + 1)] + Pick(random, ["", "-1", "2147483648", "x", "%00", "%zz", "true", "1.5", "%F0%9F", "a&b", "UNKNOWN", "1"]),
        1 => $"{parameter}&{parameter}",
        _ => parameter.ToUpperInvariant(),
    };

    private static byte[] BodyOf(HttpRoute route, Random random)
    {
        if (route.Seed is { } seed) return new JsonMutator(random).Mutate(seed);
        if (route.Message is { } message && random.Next(3) > 0) return new MessageMutator(random).Mutate(message).ToByteArray();
        if (route.Content is { } content) return random.Next(3) > 0 ? content : new WireMutator(random).Mutate(content);
        return random.Next(8) == 0 ? "{}"u8.ToArray() : [];
    }

    /// <summary>Says in the head how long the body is, rightly most of the time.</summary>
    private static (byte[] Body, HttpWholeness Wholeness) Frame(StringBuilder head, byte[] body, Random random)
    {
        switch (random.Next(32))
        {
            case 0:
                Add(head, "Transfer-Encoding: chunked");
                return (Chunked(body, random), HttpWholeness.Whole);
            case 1:
                Add(head, "Transfer-Encoding: chunked");
                byte[] chunks = Chunked(body, random);
                return (chunks[..^random.Next(1, Math.Min(chunks.Length, 6))], HttpWholeness.CutShort);
            case 2:
                Add(head, "Transfer-Encoding: chunked");
                return (Encoding.ASCII.GetBytes(Pick(random, ["-1\r\n", "FFFFFFFFFFFFFFFF\r\n", "x\r\n", "5;ext=\"a\r\nabc", "5\r\nabcdefgh\r\n0\r\n\r\n", "\r\n", "0\r\nTrailer: x\r\n\r\n", "0\r\nno colon\r\n\r\n"])), HttpWholeness.Garbled);
            case 3:
                Add(head, string.Create(CultureInfo.InvariantCulture, $"Content-Length: {body.Length + random.Next(1, 1000)}"));
                return (body, HttpWholeness.CutShort);
            case 4:
                Add(head, string.Create(CultureInfo.InvariantCulture, $"Content-Length: {random.Next(body.Length + 1)}"));
                return (body, HttpWholeness.Garbled);
            case 5:
                Add(head, Pick(random, WrongLengths));
                return (body, HttpWholeness.Garbled);
            case 6:
                Add(head, string.Create(CultureInfo.InvariantCulture, $"Transfer-Encoding: {Pick(random, ["gzip", "identity", "chunked, gzip", "xchunked", "chunked\r\nContent-Length: 5"])}"));
                return (body, HttpWholeness.Garbled);
            default:
                if (body.Length > 0 || random.Next(4) > 0) Add(head, string.Create(CultureInfo.InvariantCulture, $"Content-Length: {body.Length}"));
                return (body, HttpWholeness.Whole);
        }
    }

    private static byte[] Chunked(byte[] body, Random random)
    {
        using var chunks = new MemoryStream();
        for (int at = 0; at < body.Length;)
        {
            int length = Math.Min(body.Length - at, random.Next(1, 4096));
            chunks.Write(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{length:x}\r\n")));
            chunks.Write(body.AsSpan(at, length));
            chunks.Write("\r\n"u8);
            at += length;
        }

        chunks.Write("0\r\n\r\n"u8);
        return chunks.ToArray();
    }

    private static HttpMutant Garble(HttpMutant mutant, Random random) => mutant with
    {
        Head = new WireMutator(random).Mutate(mutant.Head), Wholeness = HttpWholeness.Garbled,
    };
}
