using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// Reads RequestMetadata (REAPI G4). It is a hint for people, so nothing about it ever fails a call, and what goes to logs and
/// pages is cut and cleaned first (TRUST 4.1).
/// </summary>
internal static class RequestOrigins
{
    // The definition's, and what clients send in its place: Pants, recc. The message is the same in all of them.
    private static readonly string[] Headers =
    [
        "build.bazel.remote.execution.v2.requestmetadata-bin",
        "google.devtools.remoteexecution.v1test.requestmetadata-bin",
        "requestmetadata-bin",
    ];

    private const int HeaderBytesMax = 8 * 1024;
    private const int TextBytesMax = 256;

    /// <summary>The last header wins where a proxy has added one.</summary>
    public static RequestOrigin From(Metadata headers)
    {
        byte[]? bytes = Headers.Select(headers.GetValueBytes).FirstOrDefault(value => value is { Length: > 0 });
        if (bytes is not { Length: <= HeaderBytesMax }) return FromUserAgent(headers);

        RequestMetadata metadata;
        try
        {
            metadata = RequestMetadata.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return FromUserAgent(headers);
        }

        return new RequestOrigin
        {
            ToolName = Clean($"{metadata.ToolDetails?.ToolName} {metadata.ToolDetails?.ToolVersion}".Trim()),
            ToolInvocationId = Clean(metadata.ToolInvocationId),
            CorrelatedInvocationsId = Clean(metadata.CorrelatedInvocationsId),
            TargetId = Clean(metadata.TargetId),
            ActionMnemonic = Clean(metadata.ActionMnemonic),
            RequestMetadata = bytes,
        };
    }

    /// <summary>"recc/1.2 grpc-c++/1.50.1": the first product that is not the gRPC library.</summary>
    private static RequestOrigin FromUserAgent(Metadata headers)
    {
        string[] products = (headers.GetValue("user-agent") ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries);
        string? tool = products.FirstOrDefault(product => !product.StartsWith("grpc-", StringComparison.Ordinal)) ?? products.FirstOrDefault();
        return tool is null ? RequestOrigin.Unknown : new RequestOrigin { ToolName = Clean(tool.Replace('/', ' ')) };
    }

    /// <summary>One line that can be shown to people.</summary>
    public static string Clean(string text) => PrintableText.Blank(text, TextBytesMax);
}
