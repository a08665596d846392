using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>What both batch methods hold a request to.</summary>
internal static class BatchRules
{
    // Every entry costs an answer of about a hundred bytes, however small its blob.
    public const int ItemsMax = 50_000;

    /// <summary>A batch that is so large that it is not even read (REAPI, BatchUpdateBlobs: INVALID_ARGUMENT). To try it again is in vain.</summary>
    public static RpcException TooLarge(ServicesOptions options) =>
        RpcErrors.Invalid($"the batch is too large, at most {options.BatchBytesMax} bytes are announced (max_batch_total_size_bytes)");

    /// <summary>To be thrown while the request is read: empty entries take two bytes of it, and far more of memory.</summary>
    public static RpcException TooMany() => RpcErrors.Invalid($"more than {ItemsMax} blobs in one batch, at most {ItemsMax} are allowed");

    /// <summary>REAPI C2, C4: up to twice what is announced is taken, more is refused as a whole.</summary>
    public static void Check(long totalBytes, ServicesOptions options)
    {
        if (totalBytes > 2L * options.BatchBytesMax)
            throw RpcErrors.Invalid($"{totalBytes} bytes in one batch, at most {options.BatchBytesMax} are announced");
    }

    /// <summary>Whatever it is, it is the failure of one blob; the text of one that nobody expects may hold paths, and goes to the log only.</summary>
    public static RpcStatus StatusOf(Exception failure, Digest digest)
    {
        if (failure is RpcException refused) return refused.ToStatus();

        Trace.TraceError($"blob {digest} of a batch was not served: {failure}");
        return new RpcStatus { Code = (int)StatusCode.Internal, Message = "internal error; the server's log has more" };
    }
}
