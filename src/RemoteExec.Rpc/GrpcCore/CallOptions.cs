namespace Grpc.Core;

/// <summary>What a client asks for one call: metadata, deadline, cancellation.</summary>
public readonly record struct CallOptions(
    Metadata? Headers = null, DateTime? Deadline = null, CancellationToken CancellationToken = default)
{
    public WriteOptions? WriteOptions { get; init; }

    /// <summary>
    /// Wait while the server cannot be reached, until the deadline or the cancellation, rather than fail soon. Without
    /// either, the channel's retry policy is the end of it.
    /// </summary>
    public bool IsWaitForReady { get; init; }

    public CallOptions WithHeaders(Metadata headers) => this with { Headers = headers };

    public CallOptions WithDeadline(DateTime deadline) => this with { Deadline = deadline };

    public CallOptions WithCancellationToken(CancellationToken cancellationToken) =>
        this with { CancellationToken = cancellationToken };

    public CallOptions WithWriteOptions(WriteOptions writeOptions) => this with { WriteOptions = writeOptions };

    public CallOptions WithWaitForReady(bool waitForReady = true) => this with { IsWaitForReady = waitForReady };
}
