using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>The failures of this room, each in the words that the client will read.</summary>
internal static class StorageErrors
{
    public static RpcException Create(StatusCode code, string detail) => new(new Status(code, detail));

    /// <summary>REAPI BR1: an offset equal to the size is an empty success, one byte more is not.</summary>
    public static void CheckOffset(in Digest digest, long offset)
    {
        if (offset < 0 || offset > digest.SizeBytes)
            throw Create(StatusCode.OutOfRange, $"offset {offset} is outside of blob {digest}");
    }
}
