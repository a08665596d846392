using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Whether a file is what its name says.</summary>
internal static class FileContent
{
    private const int PieceBytes = 256 << 10;

    /// <summary>False also where the disk does not give it back.</summary>
    /// <exception cref="IOException">It is no fault of the file that it could not be read.</exception>
    public static bool Is(SafeFileHandle file, in Digest digest, IDisk disk)
    {
        if (RandomAccess.GetLength(file) != digest.SizeBytes) return false;

        byte[] piece = ArrayPool<byte>.Shared.Rent((int)Math.Min(PieceBytes, digest.SizeBytes));
        try
        {
            using var hasher = DigestHasher.Create(digest.Function, digest.SizeBytes);
            for (long offset = 0; offset < digest.SizeBytes;)
            {
                int read = disk.Read(file, piece.AsSpan(0, (int)Math.Min(piece.Length, digest.SizeBytes - offset)), offset);
                if (read == 0) return false;
                hasher.Append(piece.AsSpan(0, read));
                offset += read;
            }

            return hasher.Finish() == digest;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }
}
