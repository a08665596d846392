using System.Buffers;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>Blobs to standard output.</summary>
internal static class BlobCopy
{
    private const int BufferBytes = 256 << 10;

    /// <summary>Copies what follows the first <paramref name="offset"/> bytes. False is a miss.</summary>
    public static async ValueTask<bool> ToStreamAsync(IBlobStore blobs, Digest digest, long offset, Stream to, CancellationToken cancellationToken)
    {
        await using var reader = await blobs.OpenReadAsync(digest, offset, cancellationToken);
        if (reader is null) return false;

        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            int read;
            while ((read = await reader.ReadAsync(buffer, cancellationToken)) > 0)
                await to.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        await to.FlushAsync(cancellationToken);
        return true;
    }
}
