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
    private const string Header = "build.bazel.remote.execution.v2.requestmetadata-bin";
    private const int HeaderBytesMax = 8 * 1024;
    private const int TextBytesMax = 256;

    /// <summary>The last header wins where a proxy has added one.</summary>
    public static RequestOrigin From(Metadata headers)
    {
        if (headers.GetValueBytes(Header) is not { Length: > 0 and <= HeaderBytesMax } bytes) return RequestOrigin.Unknown;

        RequestMetadata metadata;
        try
        {
            metadata = RequestMetadata.Parser.ParseFrom(bytes);
        }
        catch (InvalidProtocolBufferException)
        {
            return RequestOrigin.Unknown;
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

    /// <summary>One line that can be shown to people.</summary>
    public static string Clean(string text) => PrintableText.Blank(text, TextBytesMax);
}
