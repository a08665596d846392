using System.Numerics;

namespace RemoteExec.Storage;

/// <summary>A blob and where its bytes are: in a segment, in files of its own, or both. One without a place has a file.</summary>
internal readonly record struct StoredBlob(Digest Digest, BlobPlace Place, BlobFileKinds Files)
{
    // Zeros become a ten thousandth. A limit of a hundred gigabytes would admit a petabyte of them, which the scrub, and whoever lacks one, has to read.
    private const int BytesPerFrameByteMax = 64;

    /// <summary>Its file may not be what was written: a loss of power came after that, and nobody has read it since (<see cref="FirstUses"/>).</summary>
    public bool IsUnsure { get; init; }

    /// <summary>How large its file is that is a zstd frame; 0 for none. Such a blob is in no segment.</summary>
    public long FrameBytes { get; init; }

    /// <summary>All copies of it together.</summary>
    public long AccountedBytes => (Digest.SizeBytes * ((Place.IsNone ? 0 : 1) + BitOperations.PopCount((uint)Files))) + AccountedFrameBytes(Digest.SizeBytes, FrameBytes);

    /// <summary>What a frame counts: its own bytes, unless the blob is so much larger that to keep it costs other things than room.</summary>
    public static long AccountedFrameBytes(long sizeBytes, long frameBytes) => frameBytes == 0 ? 0 : Math.Max(frameBytes, sizeBytes / BytesPerFrameByteMax);
}
