using System.Globalization;

namespace RemoteExec.Conformance;

/// <summary>How a call ended, and all that it was answered.</summary>
/// <param name="Detail">The sentence beside the code.</param>
/// <param name="Answer">The bytes of all its messages, in their frames.</param>
internal sealed record RawAnswer(RawStatus Status, string Detail, byte[] Answer)
{
    /// <summary>google.rpc.Status as its trailer has it (grpc-status-details-bin); null where there is none.</summary>
    public RawFields? Details { get; private init; }

    public static RawAnswer Of(HttpResponseMessage answer, byte[] received)
    {
        string status = Value(answer, "grpc-status") ?? throw new InvalidOperationException($"{answer.RequestMessage?.RequestUri} answered {answer} without grpc-status");
        return new RawAnswer((RawStatus)int.Parse(status, CultureInfo.InvariantCulture), Uri.UnescapeDataString(Value(answer, "grpc-message") ?? ""), received)
        {
            Details = Value(answer, "grpc-status-details-bin") is { } details ? RawFields.Parse(FromBase64(details)) : null,
        };
    }

    // gRPC's protocol: a sender should leave the padding out, a receiver takes both.
    private static byte[] FromBase64(string text) => Convert.FromBase64String(text.TrimEnd('=').PadRight((text.TrimEnd('=').Length + 3) / 4 * 4, '='));

    private static string? Value(HttpResponseMessage answer, string name) =>
        answer.TrailingHeaders.TryGetValues(name, out var inTrailers) ? inTrailers.Single()
        : answer.Headers.TryGetValues(name, out var inHeaders) ? inHeaders.Single()
        : null;
}
