using System.Numerics;

namespace RemoteExec.Storage;

/// <summary>A blob and where its bytes are: in a segment, in files of its own, or both. One without a place has a file.</summary>
internal readonly record struct StoredBlob(Digest Digest, BlobPlace Place, BlobFileKinds Files)
{
    /// <summary>Its file may not be what was written: a loss of power came after that, and nobody has read it since (<see cref="FirstUses"/>).</summary>
    public bool IsUnsure { get; init; }

    /// <summary>How large its file is that is a zstd frame; 0 for none. Such a blob is in no segment.</summary>
    public long FrameBytes { get; init; }

    /// <summary>All copies of it together.</summary>
    public long AccountedBytes => (Digest.SizeBytes * ((Place.IsNone ? 0 : 1) + BitOperations.PopCount((uint)Files))) + FrameBytes;
}
