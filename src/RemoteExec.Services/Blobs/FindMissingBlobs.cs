using System.Buffers;
using Grpc.Core;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>ContentAddressableStorage.FindMissingBlobs on the bytes of its messages: see <see cref="DigestQuery"/>.</summary>
internal sealed class FindMissingBlobs(IBlobStore store)
{
    public const string MethodName = "/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs";

    public async Task HandleAsync(RawServerCall call)
    {
        var cancellationToken = call.Context.CancellationToken;
        if (!await call.Requests.MoveNextAsync(cancellationToken))
            throw new RpcException(new Status(StatusCode.Internal, "no message where one was expected"));

        // The request stays in hand until the answer is written from it, so it has to lie in one piece.
        int length = (int)call.Requests.Current.Length;
        byte[] message = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            call.Requests.Current.CopyTo(message);
            using var query = DigestQuery.Parse(message.AsSpan(0, length));
            if (await call.Requests.MoveNextAsync(cancellationToken))
                throw new RpcException(new Status(StatusCode.Internal, "more than one message where one was expected"));

            var missing = await store.FindMissingAsync(query.Digests, cancellationToken);
            await call.Responses.WriteAsync(query.Answer(message.AsSpan(0, length), missing), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(message);
        }
    }
}
