using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>A blob store that can promise blobs to live work for as long as the work lasts (D4).</summary>
public interface IPinningBlobStore : IBlobStore
{
    /// <summary>Holds those of <paramref name="digests"/> that are present until the pin is disposed; then they are kept for the retention time.</summary>
    BlobPin Pin(IReadOnlyList<Digest> digests);
}
