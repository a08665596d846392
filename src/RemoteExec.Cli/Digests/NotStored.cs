using Grpc.Core;

namespace RemoteExec.Cli;

/// <summary>The sentence for a blob that is not there.</summary>
internal static class NotStored
{
    // A client that hashes with BLAKE3 prints 64 letters too, and nothing in them says so.
    public static RpcException Of(Digest digest) => new(new Status(
        StatusCode.NotFound,
        $"{digest} is not stored there{(digest.Function == DigestFunction.Sha256 ? $"; if a client printed it that hashes with BLAKE3, write blake3/{digest}" : "")}"));
}
