using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>Brings the blobs of a result to where clients look for them, before the result is told (REAPI X16).</summary>
internal sealed class OutputUploader(ILocalBlobStore local, IBlobStore remote)
{
    public async ValueTask UploadAsync(IReadOnlyCollection<Digest> digests, CancellationToken cancellationToken)
    {
        if (digests.Count == 0) return;
        var absent = await remote.FindMissingAsync([.. digests], cancellationToken);
        await Transfers.ForEachAsync(absent, UploadAsync, cancellationToken);
    }

    private async ValueTask UploadAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (await local.CopyAsync(digest, remote, cancellationToken) is null)
            throw RpcErrors.Of(StatusCode.Unavailable, $"output {digest} is gone from the worker's own store");
    }
}
