using Microsoft.Win32.SafeHandles;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary><see cref="OwnedBlobStore"/> for the store on this machine.</summary>
internal sealed class OwnedLocalBlobStore(ILocalBlobStore inner, StoreOwner owner) : OwnedBlobStore(inner, owner), ILocalBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken) =>
        OwnAsync(() => inner.LinkManyAsync(links, cancellationToken));

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        OwnAsync(() => inner.ImportFileAsync(function, file, cancellationToken));

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        OwnAsync(() => inner.TakeFileAsync(function, file, cancellationToken));

    public void PutAside(Digest digest) => inner.PutAside(digest);
}
