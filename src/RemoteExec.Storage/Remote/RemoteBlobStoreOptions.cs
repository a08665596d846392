namespace RemoteExec.Storage;

/// <summary>How a <see cref="RemoteBlobStore"/> talks to its server.</summary>
public sealed record RemoteBlobStoreOptions
{
    /// <summary>Blobs up to this size travel in batches; two of them fit any server's batch limit (REAPI C4).</summary>
    public int UnaryBytesMax { get; init; } = 1 << 20;

    /// <summary>Bytes per message of a stream; gRPC peers refuse messages above 4 MiB unless told otherwise.</summary>
    public int PieceBytes { get; init; } = 256 << 10;

    /// <summary>
    /// How long the server may be away before a transfer gives up, beyond what the channel itself tries. Zero: a stream that broke is
    /// taken up at once or not at all.
    /// </summary>
    public TimeSpan OutageMax { get; init; }

    public TimeProvider Time { get; init; } = TimeProvider.System;
}
