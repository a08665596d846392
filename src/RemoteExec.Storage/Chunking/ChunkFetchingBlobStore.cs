using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A server's blobs, of which large ones travel by their chunks: several at a time, each tried again by itself, and none that is here as a part of
/// another blob, such as an earlier version of it. What the server does not split comes as a whole. Uploads go the same way (<see cref="ChunkSendingWriter"/>).
/// </summary>
/// <param name="here">Knows the chunks of what is here; what was fetched by its chunks is known to it from then on.</param>
public sealed class ChunkFetchingBlobStore(RemoteBlobStore remote, ChunkedBlobStore here, ChunkFetchOptions options) : IBlobStore
{
    private long _fetchedBytes;
    private long _foundBytes;

    /// <summary>Bytes of chunks that travelled.</summary>
    public long FetchedBytes => Volatile.Read(ref _fetchedBytes);

    /// <summary>Bytes of chunks that did not have to.</summary>
    public long FoundBytes => Volatile.Read(ref _foundBytes);

    internal RemoteBlobStore Remote => remote;

    internal ChunkFetchOptions Options => options;

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        remote.FindMissingAsync(digests, cancellationToken);

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        if (digest.SizeBytes < options.BlobBytesMin || await remote.SplitAsync(digest, cancellationToken) is not { Chunks.Count: > 1 } list
            || list.Chunks.Any(chunk => chunk.SizeBytes > options.ChunkBytesMax))
        {
            return await remote.OpenReadAsync(digest, offset, cancellationToken);
        }

        return new ChunkFetchingReader(this, digest, list, await FindHereAsync(list, cancellationToken), offset);
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        ChunkSendingBlobStore.CreateWriterAsync(remote, digest, options.SentBytesMin, cancellationToken);

    /// <summary>A chunk, from here or from there, and what its name says; null when it is nowhere.</summary>
    internal async Task<ReadOnlyMemory<byte>?> GetAsync(Digest chunk, bool isHere, CancellationToken cancellationToken)
    {
        if (isHere && await TryReadHereAsync(chunk, cancellationToken) is { } own)
        {
            Interlocked.Add(ref _foundBytes, own.Length);
            return own;
        }

        if (await remote.ReadAllAsync(chunk, options.ChunkBytesMax, cancellationToken) is not { } data) return null;
        if (Digest.Of(chunk.Function, data.Span) != chunk) throw StorageErrors.Create(StatusCode.Unavailable, $"the server sent something else as chunk {chunk}");
        Interlocked.Add(ref _fetchedBytes, data.Length);
        return data;
    }

    /// <summary>The next version of the blob finds its chunks here. Should that not be remembered, it travels whole.</summary>
    internal async ValueTask KeepAsync(Digest blob, ChunkList list)
    {
        try
        {
            await here.KeepAsync(blob, list with { IsOfWhole = true });
        }
        catch (RpcException)
        {
            // No room for lists, or a full disk: the blob itself is not at stake.
        }
    }

    private async ValueTask<HashSet<Digest>> FindHereAsync(ChunkList list, CancellationToken cancellationToken)
    {
        try
        {
            var found = list.Chunks.ToHashSet();
            found.ExceptWith(await here.FindMissingAsync(list.Chunks, cancellationToken));
            return found;
        }
        catch (RpcException)
        {
            return []; // a disk that cannot be asked; whoever writes to it will tell
        }
    }

    private async ValueTask<ReadOnlyMemory<byte>?> TryReadHereAsync(Digest chunk, CancellationToken cancellationToken)
    {
        try
        {
            return await here.ReadAllAsync(chunk, options.ChunkBytesMax, cancellationToken) is { } data && Digest.Of(chunk.Function, data.Span) == chunk ? data : null;
        }
        catch (RpcException)
        {
            return null; // evicted in the midst of it, or a bad sector: the server has it
        }
    }
}
