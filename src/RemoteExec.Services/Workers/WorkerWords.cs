using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using Enum = System.Enum;

namespace RemoteExec.Services;

/// <summary>
/// What a worker says, as it may reach clients, pages and logs: of bounded length, without anything that a terminal or a reader of logs
/// would take for more than text, with the codes, times and details that the protocol knows. A worker may be broken, or hostile (TRUST A4).
/// </summary>
internal static class WorkerWords
{
    // A sentence with some names in it, each of which may be cut by itself.
    private const int SentenceBytesMax = 4 * 1024;

    private const int NameBytesMax = 512;

    // A pebibyte, and a year on a thousand processors: more than one action can use.
    private const long AmountMax = 1L << 50;
    private const long UsedSecondsMax = 1000L * 366 * 24 * 3600;

    // Ours has two at most; each is a message of its own to a client.
    private const int DetailsMax = 8;

    /// <summary>One line for people.</summary>
    public static string Sentence(string text) => PrintableText.Escape(text, SentenceBytesMax);

    /// <summary>Whether a name may stand in a log, a label and a page as it is.</summary>
    public static bool IsName(string text, int lengthMax) => text.Length <= lengthMax && PrintableText.Escape(text, int.MaxValue) == text;

    /// <summary>A code that no client has a name for becomes UNKNOWN, gRPC's own answer to such (statuscodes.md).</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a detail that cannot be read.</exception>
    public static RpcStatus Clean(RpcStatus status)
    {
        var clean = new RpcStatus
        {
            Code = Enum.IsDefined((OutcomeCode)status.Code) ? status.Code : (int)StatusCode.Unknown,
            Message = Sentence(status.Message),
        };
        clean.Details.AddRange(status.Details.Take(DetailsMax).Select(Clean).OfType<Any>());
        return clean;
    }

    /// <summary>Sums of these are kept for as long as the server lives: what cannot be is nothing.</summary>
    public static Usage Clean(Usage usage)
    {
        var clean = usage.Clone();
        clean.UserTime = Clean(usage.UserTime);
        clean.SystemTime = Clean(usage.SystemTime);
        clean.MemoryPeakBytes = Clean(usage.MemoryPeakBytes);
        clean.InputBytes = Clean(usage.InputBytes);
        clean.InputFiles = Clean(usage.InputFiles);
        clean.OutputBytes = Clean(usage.OutputBytes);
        clean.FetchedBytes = Clean(usage.FetchedBytes);
        return clean;
    }

    private static long Clean(long amount) => amount is >= 0 and <= AmountMax ? amount : 0;

    private static Duration Clean(Duration? time) =>
        time is { Seconds: >= 0 and <= UsedSecondsMax, Nanos: >= 0 and < 1_000_000_000 } ? time : new Duration();

    /// <summary>Later readers compute with these times, and a date that is none breaks them all.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a time that is none.</exception>
    public static void CheckTimes(ExecutedActionMetadata metadata)
    {
        ReadOnlySpan<Timestamp?> times =
        [
            metadata.WorkerStartTimestamp, metadata.WorkerCompletedTimestamp, metadata.InputFetchStartTimestamp, metadata.InputFetchCompletedTimestamp,
            metadata.ExecutionStartTimestamp, metadata.ExecutionCompletedTimestamp, metadata.OutputUploadStartTimestamp, metadata.OutputUploadCompletedTimestamp,
        ];
        foreach (var time in times)
        {
            if (time is not null && !IsTime(time)) throw RpcErrors.Invalid($"a time that is none, {time.Seconds} s and {time.Nanos} ns");
        }
    }

    private static bool IsTime(Timestamp time) =>
        time.Nanos is >= 0 and < 1_000_000_000
        && time.Seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && time.Seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds();

    /// <summary>What a client acts on. Anything else is nothing to it, and could be anything.</summary>
    private static Any? Clean(Any detail)
    {
        try
        {
            if (detail.TryUnpack(out PreconditionFailure unmet)) return Any.Pack(Clean(unmet));
            if (detail.TryUnpack(out BadRequest bad)) return Any.Pack(Clean(bad));
            return detail.TryUnpack(out RetryInfo retry) ? Any.Pack(retry) : null;
        }
        catch (InvalidProtocolBufferException)
        {
            throw RpcErrors.Invalid("a status with a detail that cannot be read");
        }
    }

    private static PreconditionFailure Clean(PreconditionFailure failure)
    {
        foreach (var violation in failure.Violations)
        {
            violation.Type = Name(violation.Type);
            violation.Subject = Name(violation.Subject);
            violation.Description = Name(violation.Description);
        }

        return failure;
    }

    private static BadRequest Clean(BadRequest request)
    {
        var clean = new BadRequest();
        clean.FieldViolations.AddRange(request.FieldViolations.Take(DetailsMax).Select(violation =>
            new BadRequest.Types.FieldViolation { Field = Name(violation.Field), Description = Name(violation.Description) }));
        return clean;
    }

    private static string Name(string text) => PrintableText.Escape(text, NameBytesMax);
}
