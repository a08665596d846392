using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Data as it is: offsets count the blob's own bytes.</summary>
internal sealed class IdentityEncoding : IUploadEncoding
{
    public bool CanResume => true;

    public long EarlySize(Digest digest) => digest.SizeBytes;

    public ValueTask<IBlobWriter> OpenAsync(IBlobStore store, Digest digest, CancellationToken cancellationToken) =>
        store.CreateWriterAsync(digest, cancellationToken);
}
