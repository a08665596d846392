using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>
/// The name under which ByteStream.Read serves a blob (REAPI, ContentAddressableStorage):
/// <code>
/// {instance/}blobs/{function/}{hash}/{size}
/// {instance/}compressed-blobs/{compressor}/{function/}{hash}/{size}
/// </code>
/// Hash and size are those of the blob before compression.
/// </summary>
public readonly record struct BlobResourceName(InstanceName Instance, Digest Digest, Compressor Compressor = Compressor.Identity)
{
    /// <summary>Takes the name of a read. The whole of it: nothing may follow the size.</summary>
    public static bool TryParseRead(string name, out BlobResourceName result, [NotNullWhen(false)] out string? error)
    {
        result = default;
        var reader = new ResourceNameReader(name);
        if (!reader.TryReadInstance(out var instance, out var keyword, out error)) return false;
        if (!reader.TryReadBlob(instance, keyword, out var blob, out error)) return false;
        if (!reader.IsAtEnd)
        {
            error = $"'{reader.Rest}' follows the size; only the name of an upload may have more";
            return false;
        }

        result = blob;
        return true;
    }

    public override string ToString()
    {
        string blob = Compressor == Compressor.Identity ? $"blobs/{Digest}" : $"compressed-blobs/{Compressor.WireName()}/{Digest}";
        return Instance == InstanceName.Empty ? blob : $"{Instance}/{blob}";
    }
}
