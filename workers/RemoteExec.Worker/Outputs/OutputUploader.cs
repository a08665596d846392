using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>Brings the blobs of a result to where clients look for them, before the result is told (REAPI X16).</summary>
internal sealed class OutputUploader(ILocalBlobStore local, IBlobStore remote, StorePatience patience)
{
    // What was stored a moment ago is gone only when the slots together work with more than the cache holds.
    private const int RoundsMax = 5;

    public async ValueTask UploadAsync(CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        if (outputs.Digests.Count > 0) await patience.AskAsync(() => UploadAbsentAsync(outputs, cancellationToken), cancellationToken);
    }

    private async ValueTask<int> UploadAbsentAsync(CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        var absent = await remote.FindMissingAsync([.. outputs.Digests], cancellationToken);
        await Transfers.ForEachAsync(
            absent,
            async (digest, cancelled) => await remote.WriteFromAsync(digest, (offset, token) => OpenAsync(outputs, digest, offset, token), cancelled),
            cancellationToken);
        return absent.Count;
    }

    private async ValueTask<IBlobReader?> OpenAsync(CollectedOutputs outputs, Digest digest, long offset, CancellationToken cancellationToken)
    {
        for (int round = 1; ; round++)
        {
            if (await local.OpenReadAsync(digest, offset, cancellationToken) is { } reader) return reader;
            if (round == RoundsMax)
                throw RpcErrors.Of(StatusCode.Unavailable, $"output {digest} is gone from its own store, which is too small for what its actions make; --cache-size gives it more");
            await outputs.StoreAgainAsync(digest, cancellationToken);
        }
    }
}
