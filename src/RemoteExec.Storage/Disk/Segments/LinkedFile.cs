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
            return file is not null && FileContent.Is(file, digest, disk) && disk.Flush(file) == 0 && disk.Flush(files.ShardOf(digest)) == 0;
        }
        catch (IOException refused)
        {
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", files.Root);
        }
    }
}
