using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>ContentAddressableStorage.FindMissingBlobs on the bytes of its messages: see <see cref="DigestQuery"/>.</summary>
internal sealed class FindMissingBlobs(IBlobStore store, DigestFunction unnamed, AnswerBudget unsent)
{
    public static Method<LentMessage, FindMissingAnswer> Method { get; } = new(
        MethodType.Unary, ContentAddressableStorage.Descriptor.FullName,
        nameof(ContentAddressableStorage.ContentAddressableStorageBase.FindMissingBlobs),
        ServedOnly.Requests(LentMessage.Deserialize), ServedOnly.Responses<FindMissingAnswer>(FindMissingAnswer.Serialize));

    public async Task<FindMissingAnswer> HandleAsync(LentMessage request, ServerCallContext context)
    {
        DigestQuery? query = null;
        try
        {
            // All may be missing, and the answer then repeats the question.
            if (await unsent.TakeAsync(context, request.LengthBytes) is { } held) context.HoldUntilSent(held);
            query = DigestQuery.Parse(request.Bytes.Span, unnamed);
            var missing = await store.FindMissingAsync(query.Digests, context.CancellationToken);
            return new FindMissingAnswer(request, query, missing);
        }
        catch
        {
            query?.Dispose();
            request.Dispose();
            throw;
        }
    }
}
