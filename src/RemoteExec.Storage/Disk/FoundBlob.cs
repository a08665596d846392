using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>A blob that a scan found, its size checked against its name.</summary>
internal readonly record struct FoundBlob(Digest Digest, bool HasVariant)
{
    public long AccountedBytes => HasVariant ? 2 * Digest.SizeBytes : Digest.SizeBytes;
}
