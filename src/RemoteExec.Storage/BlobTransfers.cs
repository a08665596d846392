using System.Buffers;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>The one loop that moves bytes from a reader to wherever they are wanted.</summary>
public static class BlobTransfers
{
    // Large enough that a call's own cost vanishes, small enough for the processor's cache.
    private const int PieceBytes = 256 << 10;

    /// <summary>Copies a blob between stores; answers the bytes that travelled, null is a miss.</summary>
    public static ValueTask<long?> CopyAsync(this IBlobStore from, Digest digest, IBlobStore to, CancellationToken cancellationToken) =>
        to.WriteFromAsync(digest, (offset, cancelled) => from.OpenToEndAsync(digest, offset, cancelled), cancellationToken);

    /// <summary>
    /// Stores a blob whose source can be opened at any place: where the way to the store breaks and mends, it goes on from what
    /// has arrived. Stops early when the store has the blob from somebody else.
    /// </summary>
    /// <param name="openAsync">Opens the source at an offset; null says that there is none.</param>
    /// <returns>The bytes that travelled; null when there is no source.</returns>
    public static async ValueTask<long?> WriteFromAsync(
        this IBlobStore store, Digest digest, Func<long, CancellationToken, ValueTask<IBlobReader?>> openAsync, CancellationToken cancellationToken)
    {
        var reader = await openAsync(0, cancellationToken);
        if (reader is null) return null;

        using var lent = MemoryPool<byte>.Shared.Rent((int)Math.Clamp(digest.SizeBytes, 1, PieceBytes));
        try
        {
            await using var writer = await store.CreateWriterAsync(digest, cancellationToken);
            for (long bytes = 0; ;)
            {
                int read = writer.AlreadyPresent ? 0 : await reader.ReadAsync(lent.Memory, cancellationToken);
                try
                {
                    await writer.AppendAsync(lent.Memory[..read], cancellationToken);
                    bytes += read;
                    if (read > 0) continue;

                    await writer.CommitAsync(cancellationToken);
                    return bytes;
                }
                catch (RpcException cut) when (cut.StatusCode == StatusCode.Unavailable && writer is IResumableBlobWriter resumable)
                {
                    await resumable.ResumeAsync(cut, cancellationToken);
                }

                await reader.DisposeAsync();
                reader = await openAsync(writer.WrittenBytes, cancellationToken)
                    ?? throw StorageErrors.Create(StatusCode.Unavailable, $"the source of blob {digest} went away while it was being copied");
            }
        }
        finally
        {
            if (reader is not null) await reader.DisposeAsync();
        }
    }

    /// <summary>Writes what is left of a blob to a stream.</summary>
    /// <param name="hasher">Takes every byte along, for those who do not believe what came over a wire.</param>
    public static async ValueTask ReadToAsync(this IBlobReader reader, Stream to, DigestHasher? hasher, CancellationToken cancellationToken)
    {
        using var lent = MemoryPool<byte>.Shared.Rent((int)Math.Clamp(reader.RemainingBytes, 1, PieceBytes));
        for (int read; (read = await reader.ReadAsync(lent.Memory, cancellationToken)) > 0;)
        {
            var piece = lent.Memory[..read];
            hasher?.Append(piece.Span);
            await to.WriteAsync(piece, cancellationToken);
        }
    }

    /// <summary>Writes so much of a blob to a stream, or what is left when that is less.</summary>
    public static async ValueTask ReadToAsync(this IBlobReader reader, Stream to, long bytesMax, CancellationToken cancellationToken)
    {
        using var lent = MemoryPool<byte>.Shared.Rent((int)Math.Clamp(Math.Min(reader.RemainingBytes, bytesMax), 1, PieceBytes));
        for (long left = bytesMax; left > 0;)
        {
            int read = await reader.ReadAsync(lent.Memory[..(int)Math.Min(lent.Memory.Length, left)], cancellationToken);
            if (read == 0) return;
            await to.WriteAsync(lent.Memory[..read], cancellationToken);
            left -= read;
        }
    }
}
