using System.Collections.Concurrent;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// A server's blobs, of which large ones travel by their chunks: several at a time, each tried again by itself, and none that is here as a part of
/// another blob, such as an earlier version of it, or has arrived before a fetch of the same one broke off. What the server does not split comes as a
/// whole. Uploads go the same way (<see cref="ChunkSendingWriter"/>).
/// </summary>
/// <param name="here">Knows the chunks of what is here; what was fetched by its chunks is known to it from then on.</param>
/// <param name="unfinished">Keeps what arrives until the blob is here.</param>
public sealed class ChunkFetchingBlobStore(RemoteBlobStore remote, ChunkedBlobStore here, UnfinishedBlobs unfinished, ChunkFetchOptions options) : IBlobStore
{
    private readonly ConcurrentDictionary<Digest, Task<Landed?>> _flights = new();
    private long _fetchedBytes;
    private long _foundBytes;

    /// <summary>Bytes of chunks that travelled.</summary>
    public long FetchedBytes => Volatile.Read(ref _fetchedBytes);

    /// <summary>Bytes of chunks that did not have to.</summary>
    public long FoundBytes => Volatile.Read(ref _foundBytes);

    internal RemoteBlobStore Remote => remote;

    internal UnfinishedBlobs Unfinished => unfinished;

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

    /// <summary>A chunk of a blob, from here or from there, and what its name says; null when it is nowhere. Whoever wants the same one at the same time shares it.</summary>
    internal async Task<ReadOnlyMemory<byte>?> GetAsync(
        UnfinishedBlob blob, long offset, Digest chunk, bool isHere, CancellationToken cancellationToken)
    {
        if (isHere && await TryReadHereAsync(chunk, cancellationToken) is { } own) return Found(own);

        var flown = new TaskCompletionSource<Landed?>(TaskCreationOptions.RunContinuationsAsynchronously);
        while (true)
        {
            var flight = _flights.GetOrAdd(chunk, flown.Task);
            if (flight == flown.Task) return await LeadAsync(blob, offset, chunk, flown, cancellationToken);

            // Given up, since it failed or its blob is not wanted any more: whoever still wants it tries for himself.
            if (await flight.WaitAsync(cancellationToken) is not { } landed) continue;
            if (landed.Data is not { } data) return null;

            await unfinished.KeepAsync(blob, offset, data); // it may have been wanted for another blob, or another place of this one
            return Found(data);
        }
    }

    /// <summary>Somebody who fetched a blob is done with it, or gave up.</summary>
    internal async ValueTask LeaveAsync(UnfinishedBlob blob)
    {
        bool isOver = false;
        try
        {
            isOver = await here.IsInnerAsync(blob.Digest, CancellationToken.None);
        }
        catch (RpcException)
        {
            // A disk that cannot be asked: what was kept stays, and gives way to others.
        }
        finally
        {
            unfinished.Leave(blob, isOver);
        }
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

    private async Task<ReadOnlyMemory<byte>?> LeadAsync(
        UnfinishedBlob blob, long offset, Digest chunk, TaskCompletionSource<Landed?> flight, CancellationToken cancellationToken)
    {
        Landed? end = null;
        try
        {
            // Also what somebody else has fetched since this was planned.
            if (await unfinished.TryReadAsync(blob, offset, chunk, cancellationToken) is { } kept)
            {
                end = new Landed(kept);
                return Found(kept);
            }

            var data = await remote.ReadAllAsync(chunk, options.ChunkBytesMax, cancellationToken);
            if (data is { } arrived)
            {
                if (Digest.Of(chunk.Function, arrived.Span) != chunk)
                    throw StorageErrors.Create(StatusCode.Unavailable, $"the server sent something else as chunk {chunk}");
                Interlocked.Add(ref _fetchedBytes, arrived.Length);
                await unfinished.KeepAsync(blob, offset, arrived);
            }

            end = new Landed(data);
            return data;
        }
        finally
        {
            // In this order: who wakes up must not find this flight again.
            _flights.TryRemove(chunk, out _);
            flight.SetResult(end);
        }
    }

    private ReadOnlyMemory<byte> Found(ReadOnlyMemory<byte> data)
    {
        Interlocked.Add(ref _foundBytes, data.Length);
        return data;
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

    /// <param name="Data">Null: it is nowhere.</param>
    private sealed record Landed(ReadOnlyMemory<byte>? Data);
}
