using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>The file of a blob that also is in a segment: made to be linked, unflushed, because the record could make it again.</summary>
internal static class LinkedFile
{
    /// <summary>Whether it is what its name says, and from now on durable: the record is bad.</summary>
    public static bool TryKeep(BlobFiles files, in Digest digest, IDisk disk)
    {
        try
        {
            using var file = files.TryOpen(digest);
            if (file is null || RandomAccess.GetLength(file) != digest.SizeBytes) return false;

            byte[] data = new byte[digest.SizeBytes];
            int filled = 0;
            while (filled < data.Length && disk.Read(file, data.AsSpan(filled), filled) is > 0 and var read) filled += read;
            return Digest.Of(digest.Function, data) == digest && disk.Flush(file) == 0 && disk.Flush(files.ShardOf(digest)) == 0;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return false;
        }
        catch (IOException refused)
        {
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", files.Root);
        }
    }
}
