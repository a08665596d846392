using System.Diagnostics;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Whole small blobs in one call.</summary>
public static class BlobStoreExtensions
{
    // Writes of one batch in flight: enough to share flushes, few enough to bound descriptors.
    private const int WritesAtOnce = 256;

    /// <summary>The whole blob; null is a miss.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED when its digest announces more than <paramref name="maxBytes"/>.</exception>
    public static async ValueTask<ReadOnlyMemory<byte>?> ReadAllAsync(
        this IBlobStore store, Digest digest, int maxBytes, CancellationToken cancellationToken)
    {
        // Refuse on the announcement: reading first would let a name fill our memory.
        if (digest.SizeBytes > maxBytes)
            throw StorageErrors.Create(StatusCode.ResourceExhausted, $"blob {digest} is larger than the {maxBytes} bytes allowed here");

        await using var reader = await store.OpenToEndAsync(digest, offset: 0, cancellationToken);
        if (reader is null) return null;

        byte[] data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);
        for (int filled = 0; filled < data.Length;)
        {
            int read = await reader.ReadAsync(data.AsMemory(filled), cancellationToken);
            if (read == 0) throw StorageErrors.Create(StatusCode.Unavailable, $"blob {digest} ended after {filled} bytes");
            filled += read;
        }

        return data;
    }

    /// <summary>Stores bytes whose digest a peer announced; INVALID_ARGUMENT if it is not theirs.</summary>
    public static async ValueTask WriteAllAsync(
        this IBlobStore store, Digest digest, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        await using var writer = await store.CreateWriterAsync(digest, cancellationToken);
        await writer.AppendAsync(data, cancellationToken);
        await writer.CommitAsync(cancellationToken);
    }

    /// <summary>Stores our own bytes and says what they are called.</summary>
    public static async ValueTask<Digest> WriteAllAsync(
        this IBlobStore store, DigestFunction function, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        var digest = Digest.Of(function, data.Span);
        await store.WriteAllAsync(digest, data, cancellationToken);
        return digest;
    }

    /// <summary><see cref="ILocalBlobStore.LinkManyAsync"/> for one file; false is a miss.</summary>
    public static async ValueTask<bool> TryLinkAsync(
        this ILocalBlobStore store, Digest digest, bool executable, string path, CancellationToken cancellationToken) =>
        (await store.LinkManyAsync([new BlobLink(digest, executable, path)], cancellationToken)).Count == 0;

    /// <summary><see cref="IBlobStore.WriteManyAsync"/> of a store that knows no batches: each by itself, many at once.</summary>
    internal static async ValueTask<Status[]> WriteEachAsync(
        this IBlobStore store, IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        var statuses = new Status[blobs.Count];
        for (int start = 0; start < blobs.Count; start += WritesAtOnce)
        {
            var writes = new Task<Status>[Math.Min(WritesAtOnce, blobs.Count - start)];
            for (int i = 0; i < writes.Length; i++)
                writes[i] = store.TryWriteAsync(blobs[start + i].Digest, blobs[start + i].Data, cancellationToken);
            (await Task.WhenAll(writes)).CopyTo(statuses, start);
        }

        return statuses;
    }

    /// <summary><see cref="IBlobStore.WriteManyAsync"/> of one of several stores: what it cannot do at all is the failure of each blob.</summary>
    internal static async Task<Status[]> TryWriteManyAsync(
        this IBlobStore store, IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        try
        {
            return await store.WriteManyAsync(blobs, cancellationToken);
        }
        catch (Exception failure) when (failure is RpcException || !cancellationToken.IsCancellationRequested)
        {
            return [.. blobs.Select(blob => StatusOf(blob.Digest, failure))];
        }
    }

    /// <summary><see cref="IBlobStore.ReadManyAsync"/> of a store that knows no batches: one after the other.</summary>
    internal static async ValueTask ReadEachAsync(
        this IBlobStore store, IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken)
    {
        for (int i = 0; i < digests.Count; i++)
        {
            ReadOnlyMemory<byte>? data = null;
            Exception? failure = null;
            try
            {
                data = await store.ReadAllAsync(digests[i], int.MaxValue, cancellationToken);
            }
            catch (Exception failed) when (failed is RpcException || !cancellationToken.IsCancellationRequested)
            {
                // Whatever it is, it is the failure of one blob.
                failure = failed;
            }

            if (failure is not null) receiver.Failed(i, failure);
            else if (data is { } found) receiver.Found(i, found.Span);
            else receiver.Missing(i);
        }
    }

    /// <summary>The same of a store on another machine: several at once, which may share a call there, and given out in the order asked.</summary>
    internal static async ValueTask ReadTogetherAsync(
        this IBlobStore store, IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken)
    {
        for (int start = 0; start < digests.Count; start += WritesAtOnce)
        {
            var reads = digests.Skip(start).Take(WritesAtOnce).Select(digest => store.TryReadAsync(digest, cancellationToken)).ToArray();
            await Task.WhenAll(reads);
            for (int i = 0; i < reads.Length; i++)
            {
                var (data, failure) = await reads[i];
                if (failure is not null) receiver.Failed(start + i, failure);
                else if (data is { } found) receiver.Found(start + i, found.Span);
                else receiver.Missing(start + i);
            }
        }
    }

    private static async Task<(ReadOnlyMemory<byte>? Data, Exception? Failure)> TryReadAsync(
        this IBlobStore store, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return (await store.ReadAllAsync(digest, int.MaxValue, cancellationToken), null);
        }
        catch (Exception failed) when (failed is RpcException || !cancellationToken.IsCancellationRequested)
        {
            // Whatever it is, it is the failure of one blob.
            return (null, failed);
        }
    }

    private static async Task<Status> TryWriteAsync(
        this IBlobStore store, Digest digest, ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        try
        {
            await store.WriteAllAsync(digest, data, cancellationToken);
            return Status.DefaultSuccess;
        }
        catch (Exception failure) when (failure is RpcException || !cancellationToken.IsCancellationRequested)
        {
            return StatusOf(digest, failure);
        }
    }

    /// <summary>Of whatever type, it is the failure of this blob: the others of the batch are stored. The text of a bug may hold paths, and goes to the log only.</summary>
    internal static Status StatusOf(in Digest digest, Exception failure)
    {
        if (failure is RpcException refused) return refused.Status;

        Trace.TraceError($"blob {digest} of a batch was not stored: {failure}");
        return new Status(StatusCode.Internal, "internal error; the server's log has more", failure);
    }
}
