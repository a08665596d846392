using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>The failures of this room, each in the words that the client will read.</summary>
internal static class StorageErrors
{
    // Bazel waits as long as RetryInfo says; a wait of hours would look like a hang.
    private static readonly TimeSpan RetryAfterMax = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan RetryAfterMin = TimeSpan.FromSeconds(1);

    public static RpcException Create(StatusCode code, string detail) => new(new Status(code, detail));

    /// <summary>REAPI BR1: an offset equal to the size is an empty success, one byte more is not.</summary>
    public static void CheckOffset(in Digest digest, long offset)
    {
        if (offset < 0 || offset > digest.SizeBytes)
            throw Create(StatusCode.OutOfRange, $"offset {offset} is outside of blob {digest}");
    }

    /// <summary>Refuses what found no room.</summary>
    public static RpcException NoRoom(Reservation reservation, long bytes, long limitBytes, TimeSpan retention) =>
        reservation.Result == ReservationResult.NeverFits
            ? Create(StatusCode.ResourceExhausted, $"a blob of {bytes} bytes cannot fit, the store holds {limitBytes} bytes; --max-cas-size allows more")
            : Retriable(
                StatusCode.ResourceExhausted,
                $"the blob store is full: no room for {Wanted(reservation, bytes)}, because everything in its {limitBytes} bytes is still promised to builds; a larger --max-cas-size gives it more, a shorter --retention (at present {Text(retention)}) frees some earlier",
                reservation.RetryAfter);

    private static string Wanted(Reservation reservation, long bytes) =>
        reservation.BlobsMax > 0 ? $"more than {reservation.BlobsMax} blobs" : $"{bytes} bytes";

    private static string Text(TimeSpan time) => time.TotalHours >= 1 ? FormattableString.Invariant($"{time.TotalHours:0.#} h") : FormattableString.Invariant($"{time.TotalSeconds:0.#} s");

    /// <summary>A refusal with the RetryInfo detail that makes clients wait and try again.</summary>
    public static RpcException Retriable(StatusCode code, string detail, TimeSpan retryAfter)
    {
        var bounded = retryAfter < RetryAfterMin ? RetryAfterMin : retryAfter > RetryAfterMax ? RetryAfterMax : retryAfter;
        return RpcErrors.Of(code, detail, new RetryInfo { RetryDelay = Duration.FromTimeSpan(bounded) });
    }

    /// <summary>What the kernel refused, for the client and for the operator who reads over its shoulder.</summary>
    public static RpcException FromErrno(int errno, string step, string directory) => errno switch
    {
        Errno.ENOSPC => Retriable(
            StatusCode.ResourceExhausted,
            $"the disk of {directory} is full (no bytes or no inodes left): {step} failed; free some space there",
            RetryAfterMin),
        Errno.EDQUOT => Retriable(
            StatusCode.ResourceExhausted, $"the disk quota for {directory} is used up: {step} failed; raise it or free some space", RetryAfterMin),
        Errno.EROFS => Create(StatusCode.Unavailable, $"the file system of {directory} is read-only: {step} failed; remount it writable"),
        Errno.EMFILE or Errno.ENFILE => Create(
            StatusCode.Unavailable, $"no file descriptor is left: {step} failed; raise the limit of open files (ulimit -n)"),
        _ => Create(StatusCode.Unavailable, $"{step} failed under {directory}: {Errno.Describe(errno)}"),
    };
}
