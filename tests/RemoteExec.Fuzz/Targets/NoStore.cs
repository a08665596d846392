using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Fuzz;

/// <summary>Takes small blobs and forgets them. Nothing that is unpacked here is so large that it would come as a file.</summary>
internal sealed class NoStore : ILocalBlobStore
{
    public ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken) =>
        ValueTask.FromResult(blobs.Select(_ => Status.DefaultSuccess).ToArray());

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) => ValueTask.FromResult<IReadOnlyList<Digest>>([]);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) => ValueTask.FromResult<IBlobReader?>(null);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) => throw new NotSupportedException();

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) => throw new NotSupportedException();

    public void PutAside(Digest digest)
    {
    }
}
