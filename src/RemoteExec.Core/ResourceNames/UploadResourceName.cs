using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>
/// The name to which ByteStream.Write uploads a blob (REAPI, ContentAddressableStorage):
/// <code>
/// {instance/}uploads/{uuid}/blobs/{function/}{hash}/{size}{/metadata...}
/// {instance/}uploads/{uuid}/compressed-blobs/{compressor}/{function/}{hash}/{size}{/metadata...}
/// </code>
/// The metadata is the client's own and not kept. This value is the key of an upload: the same id may be used
/// for different blobs.
/// </summary>
public readonly record struct UploadResourceName(string UploadId, BlobResourceName Blob)
{
    // A UUID has 36 characters. REAPI asks for one, clients have sent other things, and nothing depends on its form.
    public const int UploadIdLengthMax = 128;

    public static bool TryParse(string name, DigestFunction unnamed, out UploadResourceName result, [NotNullWhen(false)] out string? error)
    {
        result = default;
        var reader = new ResourceNameReader(name, unnamed);
        if (!reader.TryReadInstance(out var instance, out var keyword, out error)) return false;
        if (!keyword.SequenceEqual("uploads"))
        {
            error = $"an upload goes to {{instance/}}uploads/{{uuid}}/..., the name has '{keyword}' in its place";
            return false;
        }

        var uploadId = reader.ReadSegment();
        if (uploadId.Length is 0 or > UploadIdLengthMax)
        {
            error = $"the upload id has {uploadId.Length} characters, 1 to {UploadIdLengthMax} are allowed";
            return false;
        }

        if (!reader.TryReadBlob(instance, reader.ReadSegment(), out var blob, out error)) return false;

        result = new UploadResourceName(uploadId.ToString(), blob);
        return true;
    }

    /// <inheritdoc cref="BlobResourceName.ToStringWithFunction"/>
    public string ToStringWithFunction() => ToString((Blob with { Instance = InstanceName.Empty }).ToStringWithFunction());

    public override string ToString() => ToString((Blob with { Instance = InstanceName.Empty }).ToString());

    private string ToString(string blob)
    {
        string upload = $"uploads/{UploadId}/{blob}";
        return Blob.Instance == InstanceName.Empty ? upload : $"{Blob.Instance}/{upload}";
    }
}
