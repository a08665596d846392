using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Content by digest: find what is missing, open for reading, write. Everything that keeps or moves blobs is one of
/// these, and decorators add one idea each.
/// </summary>
/// <remarks>
/// A miss is a value; a failure is an <see cref="RpcException"/> whose code may go to the client as it is.
/// The empty blob of every function is always present and never stored (REAPI, Digest).
/// Upload, "is present" and reading extend the time a blob is kept (D4): eviction takes only what nobody was promised.
/// </remarks>
public interface IBlobStore
{
    /// <summary>The digests that are absent, in the order asked and once each; extends keep-until of those present.</summary>
    ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken);

    /// <summary>The same for another reason, which may be one to keep them for a shorter time or a longer one: see <see cref="RetentionRule"/>.</summary>
    ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        FindMissingAsync(digests, cancellationToken);

    /// <summary>Opens a blob at <paramref name="offset"/>; null is a miss.</summary>
    /// <exception cref="RpcException">OUT_OF_RANGE when the offset is negative or beyond the end.</exception>
    ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken);

    /// <summary>The same for whoever reads on to the end: what comes before that may only there turn out to be wrong.</summary>
    ValueTask<IBlobReader?> OpenToEndAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OpenReadAsync(digest, offset, cancellationToken);

    /// <summary>
    /// Begins an upload. Some room is reserved here, so that a full store refuses before bytes travel (RESOURCE_EXHAUSTED with
    /// RetryInfo); more follows the bytes as they come. Several may write the same blob: each hashes and writes its own, the first
    /// to commit makes it present, and the others find it so.
    /// </summary>
    ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken);

    /// <summary>
    /// Stores many small blobs, sharing flushes; answers one status per blob, in order (REAPI, BatchUpdateBlobs).
    /// </summary>
    ValueTask<Status[]> WriteManyAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken) =>
        this.WriteEachAsync(blobs, cancellationToken);

    /// <summary>Reads many small blobs whole (REAPI, BatchReadBlobs).</summary>
    ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        this.ReadEachAsync(digests, receiver, cancellationToken);
}
