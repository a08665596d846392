namespace RemoteExec.Protocol;

/// <summary>Reads Directory blobs: an outsider's bytes, whatever their digest promised.</summary>
public static class DirectoryBlob
{
    /// <summary>What is no such Directory is INVALID_ARGUMENT.</summary>
    public static WireDirectory Parse(ReadOnlyMemory<byte> blob, Digest digest, DirectoryUse use)
    {
        var directory = WireMessages.Parse(WireDirectory.Parser, blob, digest);
        string? error = use == DirectoryUse.Listing
            ? null
            : DirectoryChecks.Check(directory, digest.Function, allowAbsoluteSymlinks: use == DirectoryUse.Output);
        return error is null ? directory : throw RpcErrors.Invalid($"directory {digest}: {error}");
    }
}
