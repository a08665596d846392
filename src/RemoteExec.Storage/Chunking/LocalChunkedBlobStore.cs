using Grpc.Core;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>The same on this machine's disk: what is no file becomes one when an action wants it as one.</summary>
public sealed class LocalChunkedBlobStore(ILocalBlobStore inner, ChunkedBlobStore chunked) : ILocalBlobStore
{
    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        chunked.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        chunked.FindMissingAsync(digests, kind, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        chunked.OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobReader?> OpenToEndAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        chunked.OpenToEndAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        chunked.CreateWriterAsync(digest, cancellationToken);

    public ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken) =>
        chunked.WriteManyAsync(blobs, cancellationToken);

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        chunked.ReadManyAsync(digests, receiver, cancellationToken);

    public async ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        var missing = await inner.LinkManyAsync(links, cancellationToken);
        if (missing.Count == 0) return missing;

        var made = new HashSet<Digest>();
        foreach (var digest in missing)
        {
            if (chunked.Knows(digest) && await TryMakeAsync(digest, cancellationToken)) made.Add(digest);
        }

        if (made.Count == 0) return missing;
        var again = await inner.LinkManyAsync([.. links.Where(link => made.Contains(link.Digest))], cancellationToken);
        return [.. missing.Where(digest => !made.Contains(digest)), .. again];
    }

    public ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        inner.ImportFileAsync(function, file, cancellationToken);

    public ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken) =>
        inner.TakeFileAsync(function, file, cancellationToken);

    public void PutAside(Digest digest) => inner.PutAside(digest);

    private async ValueTask<bool> TryMakeAsync(Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return await inner.WriteFromAsync(digest, (offset, cancelled) => chunked.OpenToEndAsync(digest, offset, cancelled), cancellationToken) is not null;
        }
        catch (RpcException other) when (other.StatusCode == StatusCode.InvalidArgument)
        {
            // The writer checks the hash: what an action gets is never only as good as a list. Whoever needs it uploads it again.
            await chunked.PutAsideAsync(digest, cancellationToken);
            return false;
        }
    }
}
