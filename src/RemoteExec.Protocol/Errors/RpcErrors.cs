using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Protocol;

/// <summary>
/// Failures with google.rpc details. A detail is a promise to clients: Bazel uploads again only when every violation is
/// MISSING (REAPI E2), and waits as long as RetryInfo says (G1).
/// </summary>
public static class RpcErrors
{
    /// <summary>Carries the details of a failure: a serialised <c>google.rpc.Status</c>.</summary>
    public const string DetailsTrailer = "grpc-status-details-bin";

    // REAPI E2, PreconditionFailure.Violation.type.
    private const string MissingType = "MISSING";

    // The details travel in a trailer, base64 adds a third to them, and grpc-java refuses headers above 8 KiB unless told
    // otherwise. A caller with more to list puts the status into a message.
    private const int TrailerBytesMax = 4 * 1024;

    // Beside the list: the name of its type, the sentence, and the operation around it.
    private const int MessageBytesMax = Limits.AnswerBytesMax - (16 * 1024);

    // Tag and length of one entry of a repeated field.
    private const int ViolationFramingBytes = 3;

    // Sentences quote what the client sent, whatever and however long that was, and travel in a header, where a byte may take three.
    private const int TextBytesMax = 512;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    public static RpcException Invalid(string message) => Of(StatusCode.InvalidArgument, message);

    public static RpcException InvalidField(string field, string message) => Of(
        StatusCode.InvalidArgument, message,
        new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = Cut(field), Description = Cut(message) } } });

    /// <summary>A thing that was asked for by name and is not here.</summary>
    public static RpcException NotFound(string resourceType, string resourceName) => Of(
        StatusCode.NotFound, $"{resourceType} {resourceName} not found",
        new ResourceInfo { ResourceType = Cut(resourceType), ResourceName = Cut(resourceName) });

    /// <summary>Passing: the same call will succeed later.</summary>
    public static RpcException Unavailable(string message) => Of(StatusCode.Unavailable, message, Retry(RetryDelay));

    /// <summary>A limit of ours is reached; it may fall again.</summary>
    public static RpcException Exhausted(string message) => Of(StatusCode.ResourceExhausted, message, Retry(RetryDelay));

    /// <summary>
    /// Tells the client exactly which blobs to upload before it tries again; of very many, as many as a trailer holds.
    /// </summary>
    /// <param name="first">What the first of them is to an action, in words; null when that is not known.</param>
    public static RpcException MissingBlobs(IEnumerable<Digest> missing, string? first = null) =>
        ToException(MissingBlobsStatus(missing, first, TrailerBytesMax));

    /// <summary>Whether <see cref="MissingBlobs"/> can list all of them.</summary>
    public static bool FitsTrailer(IReadOnlyCollection<Digest> missing)
    {
        int bytes = 0;
        foreach (var digest in missing)
        {
            bytes += Violation(digest).CalculateSize() + ViolationFramingBytes;
            if (bytes > TrailerBytesMax) return false;
        }

        return true;
    }

    /// <summary>
    /// The same inside a message (ExecuteResponse.status), where there is room for some forty thousand. A client that uploads these and
    /// asks again is told the next.
    /// </summary>
    public static RpcStatus MissingBlobsStatus(IEnumerable<Digest> missing, string? first = null) => MissingBlobsStatus(missing, first, MessageBytesMax);

    /// <summary>The subject of a MISSING violation: <c>blobs/{function/}{hash}/{size}</c>.</summary>
    public static string MissingSubject(Digest digest) => $"blobs/{digest}";

    public static RpcException Of(StatusCode code, string message, params IReadOnlyList<IMessage> details)
    {
        if (details.Count == 0) return new RpcException(new Status(code, Cut(message)));

        var status = new RpcStatus { Code = (int)code, Message = Cut(message) };
        foreach (var detail in details)
            status.Details.Add(Any.Pack(detail));
        return ToException(status);
    }

    /// <summary>The failure as a message, details included: what ExecuteResponse.status and batch answers carry.</summary>
    public static RpcStatus ToStatus(this RpcException exception)
    {
        if (exception.Trailers.GetValueBytes(DetailsTrailer) is { } details)
        {
            try
            {
                return RpcStatus.Parser.ParseFrom(details);
            }
            catch (InvalidProtocolBufferException)
            {
                // A peer's trailer may hold anything; its code and sentence still stand.
            }
        }

        return new RpcStatus { Code = (int)exception.StatusCode, Message = exception.Status.Detail };
    }

    public static RpcException ToException(this RpcStatus status) => status.Details.Count == 0
        ? new RpcException(new Status((StatusCode)status.Code, status.Message))
        : new RpcException(new Status((StatusCode)status.Code, status.Message), new Metadata { { DetailsTrailer, status.ToByteArray() } });

    private static RpcStatus MissingBlobsStatus(IEnumerable<Digest> missing, string? first, int bytesMax)
    {
        var failure = new PreconditionFailure();
        int count = 0, bytes = 0;
        string named = "";
        foreach (var digest in missing)
        {
            if (count++ == 0) named = first is null ? $"{digest}" : $"{first}, {digest}";
            if (bytes > bytesMax) continue;

            var violation = Violation(digest);
            bytes += violation.CalculateSize() + ViolationFramingBytes;
            if (bytes <= bytesMax) failure.Violations.Add(violation);
        }

        string message = count == 1 ? $"1 blob is missing: {named}" : $"{count} blobs are missing, the first is {named}";
        if (failure.Violations.Count < count) message += $" ({failure.Violations.Count} of them listed)";
        // Some clients print nothing but this, and ask again for ever with what they remember of a server whose store was emptied.
        return new RpcStatus
        {
            Code = (int)StatusCode.FailedPrecondition,
            Message = Cut($"{message}. The client believes that they are stored here: let it upload them again; `buck2 kill` and `bazel shutdown` make those clients forget"),
            Details = { Any.Pack(failure) },
        };
    }

    private static PreconditionFailure.Types.Violation Violation(Digest digest) =>
        new() { Type = MissingType, Subject = MissingSubject(digest) };

    private static string Cut(string text) => PrintableText.Escape(text, TextBytesMax);

    private static RetryInfo Retry(TimeSpan delay) => new() { RetryDelay = Duration.FromTimeSpan(delay) };
}
