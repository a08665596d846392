namespace Grpc.Core;

/// <summary>Sends messages. One write at a time: await it before the next.</summary>
public interface IAsyncStreamWriter<in T>
{
    /// <summary>How the next messages are written; null means the call's own way.</summary>
    WriteOptions? WriteOptions { get; set; }

    /// <summary>Completes when the peer's flow control has room for more.</summary>
    Task WriteAsync(T message);

    /// <inheritdoc cref="WriteAsync(T)"/>
    Task WriteAsync(T message, CancellationToken cancellationToken);
}
