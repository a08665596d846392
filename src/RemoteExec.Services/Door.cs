using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>What every request is asked first.</summary>
internal static class Door
{
    /// <summary>A malformed name is INVALID_ARGUMENT (REAPI G2). Any well-formed one is served.</summary>
    public static InstanceName Instance(string name) =>
        InstanceName.TryParse(name, out var instance, out string? error)
            ? instance
            : throw RpcErrors.InvalidField("instance_name", error);

    /// <summary>A blob that is larger than this server takes is refused on its name (REAPI BW8).</summary>
    public static void CheckBlobSize(Digest digest, ServicesOptions options)
    {
        if (digest.SizeBytes > options.BlobBytesMax)
            throw RpcErrors.Invalid($"blob {digest} is larger than the {options.BlobBytesMax} bytes that this server takes");
    }
}
