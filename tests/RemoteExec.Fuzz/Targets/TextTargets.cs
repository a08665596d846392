using System.Globalization;
using System.Text;
using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Services;
using RemoteExec.Web;

namespace RemoteExec.Fuzz;

/// <summary>Names, paths, filters, JSON: what arrives as text.</summary>
internal static class TextTargets
{
    private static readonly Digest Some = Digest.Of(DigestFunction.Sha256, "some"u8);

    private static readonly IReadOnlyList<JsonRoute> Routes = JsonRoutes.Of(RpcChannels.Create(new Uri("http://127.0.0.1:1")).CreateCallInvoker());

    public static IEnumerable<FuzzTarget> All =>
    [
        Of("names", ReadName,
            $"blobs/{Some}", $"i/j/compressed-blobs/zstd/blake3/{Some}", $"uploads/u/blobs/{Some}/more", $"i/uploads/u/compressed-blobs/zstd/{Some}",
            $"i/logstreams/{new string('1', 32)}.1.stdout", $"logstreams/{new string('2', 32)}", $"i/logstreams/i/logstreams/{new string('2', 32)}/{new string('3', 32)}"),
        Of("digests", ReadDigest, $"{Some}", $"{Digest.Of(DigestFunction.Md5, "some"u8)}", $"{Digest.Of(DigestFunction.Sha512, "some"u8)}"),
        Of("filters", text =>
            {
                OperationFilter.Parse(text);
                return "filter";
            },
            "stage != completed AND tool_name = \"bazel\"", "name=operations/1 platform=OSFamily:linux", "command = 'a b' action_digest=" + Some),
        Of("http-cache", text =>
            {
                if (!HttpCacheName.TryParse(text, DigestFunction.Sha256, out var name, out string? error) || error is not null) return "";
                FuzzTarget.Require(text.EndsWith($"/{(name.IsResult ? "ac" : "cas")}/{name.Hash}", StringComparison.Ordinal), "another path than was read");
                return name.Function.ToString();
            },
            $"/ac/{Some.Hash}", $"/i/j/cas/{Some.Hash}", $"/cas/{Digest.Of(DigestFunction.Sha1, "some"u8).Hash}"),
        Of("json-paths", text =>
            {
                var matching = Routes.Where(route => route.TryMatch(text, out _)).ToList();
                return matching.Count == 0 ? "" : matching[0].Template;
            },
            "/v2/i/j/blobs:findMissing", "/v2/capabilities", $"/v2//actionResults/{Some}", $"/v2/i/blobs/{Some}:getTree", "/v1/operations/1:cancel", "/v1/i/assets:fetchBlob"),
        Of("json-bodies", text => JsonTexts.Parse(text, BatchUpdateBlobsRequest.Descriptor).CalculateSize() > 0 ? "some" : "empty",
            $$"""{"instanceName": "i", "requests": [{"digest": {"hash": "{{Some.Hash}}", "sizeBytes": "4"}, "data": "c29tZQ==", "compressor": "ZSTD"}], "digest_function": 1}"""),
        Of("json-queries", text =>
            {
                var request = new GetTreeRequest();
                foreach (string pair in text.Split('&'))
                {
                    int equals = pair.IndexOf('=', StringComparison.Ordinal);
                    JsonFields.Set(request, equals < 0 ? pair : pair[..equals], equals < 0 ? "" : pair[(equals + 1)..]);
                }

                return request.RootDigest is null ? "no root" : "root";
            },
            "page_size=7&pageToken=x", $"root_digest.hash={Some.Hash}&rootDigest.sizeBytes=4&digestFunction=SHA256"),
    ];

    private static FuzzTarget Of(string name, Func<string, string> read, params IEnumerable<string> seeds) =>
        FuzzTarget.Of(name, [.. seeds.Select(Encoding.UTF8.GetBytes)], bytes => read(Encoding.UTF8.GetString(bytes)));

    private static string ReadName(string text)
    {
        if (LogStreamName.TryParse(text, out var log))
        {
            FuzzTarget.Require(LogStreamName.TryParse(log.ToString(), out var again) && again == log && !LogStreamNames.IsWrite(text), "an action's log has another name");
            return "action's log";
        }

        if (WrittenLogName.TryParse(text, out var written) || WrittenLogName.TryParseWrite(text, out written, out _))
        {
            FuzzTarget.Require(WrittenLogName.TryParse(written.ToString(), out var again) && again == written, "a log has another name");
            return LogStreamNames.IsWrite(text) ? "log to write" : "log to read";
        }

        if (BlobResourceName.TryParseRead(text, default, out var read, out _))
        {
            FuzzTarget.Require(BlobResourceName.TryParseRead(read.ToStringWithFunction(), default, out var again, out _) && again == read, "a read has another name");
            return "read";
        }

        if (!UploadResourceName.TryParse(text, default, out var upload, out _)) return "";
        FuzzTarget.Require(UploadResourceName.TryParse(upload.ToStringWithFunction(), default, out var same, out _) && same == upload, "an upload has another name");
        return "upload";
    }

    private static string ReadDigest(string text)
    {
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        string hash = slash < 0 ? text : text[..slash];
        long size = slash >= 0 && long.TryParse(text.AsSpan(slash + 1), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long said) ? said : 1;
        string taken = "";
        foreach (var function in Enum.GetValues<DigestFunction>())
        {
            bool byText = DigestFunctions.TryFromNumber((int)function, out _) && Digest.TryParse(function, hash, size, out var one, out _) && one.Hash == hash && one.SizeBytes == size;
            bool byBytes = DigestFunctions.TryFromNumber((int)function, out _) && Digest.TryParse(function, Encoding.UTF8.GetBytes(hash), size, out var other, out _) && other.Hash == hash;
            FuzzTarget.Require(byText == byBytes, $"{function}: text and its bytes are not one digest");
            if (byText) taken = function.ToString();
        }

        return taken;
    }
}
