using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>A server's blobs, of which large ones are uploaded by their chunks: those that it lacks. One that does not splice gets them whole.</summary>
/// <param name="blobBytesMin">Below it a blob has a few chunks, and asking for them costs more than they save.</param>
public sealed class ChunkSendingBlobStore(RemoteBlobStore remote, long blobBytesMin = ChunkSendingBlobStore.BlobBytesMinDefault) : IBlobStore
{
    public const long BlobBytesMinDefault = 8_000_000;

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        remote.FindMissingAsync(digests, cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        remote.OpenReadAsync(digest, offset, cancellationToken);

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        CreateWriterAsync(remote, digest, blobBytesMin, cancellationToken);

    public ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken) =>
        this.WriteEachAsync(blobs, cancellationToken);

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        remote.ReadManyAsync(digests, receiver, cancellationToken);

    internal static async ValueTask<IBlobWriter> CreateWriterAsync(RemoteBlobStore remote, Digest digest, long blobBytesMin, CancellationToken cancellationToken) =>
        digest.SizeBytes >= blobBytesMin && await remote.SplicedBytesAsync(cancellationToken) is { } averageBytes
            ? new ChunkSendingWriter(remote, digest, new FastCdc2020(averageBytes))
            : await remote.CreateWriterAsync(digest, cancellationToken);
}
