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
    public static bool TryParseRead(string name, DigestFunction unnamed, out BlobResourceName result, [NotNullWhen(false)] out string? error)
    {
        result = default;
        var reader = new ResourceNameReader(name, unnamed);
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

    /// <summary>Names the function always. REAPI leaves that out where a hash's length tells it, but a server may be set to take such a hash for another's.</summary>
    public string ToStringWithFunction() =>
        ToString(Digest.Function.IsNamedInResources() ? $"{Digest}" : $"{Digest.Function.WireName()}/{Digest}");

    public override string ToString() => ToString(Digest.ToString());

    private string ToString(string digest)
    {
        string blob = Compressor == Compressor.Identity ? $"blobs/{digest}" : $"compressed-blobs/{Compressor.WireName()}/{digest}";
        return Instance == InstanceName.Empty ? blob : $"{Instance}/{blob}";
    }
}
