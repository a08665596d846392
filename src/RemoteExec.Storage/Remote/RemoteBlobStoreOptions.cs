namespace RemoteExec.Storage;

/// <summary>How a <see cref="RemoteBlobStore"/> talks to its server.</summary>
public sealed record RemoteBlobStoreOptions
{
    /// <summary>Blobs up to this size travel in one unary call; two of them fit any server's batch limit (REAPI C4).</summary>
    public int UnaryBytesMax { get; init; } = 1 << 20;

    /// <summary>Bytes per message of a stream; gRPC peers refuse messages above 4 MiB unless told otherwise.</summary>
    public int PieceBytes { get; init; } = 256 << 10;

    /// <summary>How often a read is taken up again where it broke, without a byte in between.</summary>
    public int ResumesMax { get; init; } = 3;
}
