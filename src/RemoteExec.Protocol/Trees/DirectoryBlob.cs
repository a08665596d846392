namespace RemoteExec.Protocol;

/// <summary>Reads Directory blobs: an outsider's bytes, whatever their digest promised.</summary>
public static class DirectoryBlob
{
    /// <summary>What is no such Directory is INVALID_ARGUMENT.</summary>
    public static WireDirectory Parse(ReadOnlyMemory<byte> blob, Digest digest, DirectoryUse use, TreeLimits limits)
    {
        var directory = WireMessages.Parse(WireDirectory.Parser, blob, digest);
        string? error = use == DirectoryUse.Listing
            ? null
            : DirectoryChecks.Check(directory, digest.Function, allowAbsoluteSymlinks: use == DirectoryUse.Output || limits.AllowsAbsoluteSymlinks);
        return error is null ? directory : throw RpcErrors.Invalid($"directory {digest}: {error}");
    }
}
