namespace Grpc.Core;

/// <summary>Messages as they arrive. One read at a time.</summary>
public interface IAsyncStreamReader<out T>
{
    /// <summary>The message that the last successful <see cref="MoveNext"/> fetched.</summary>
    T Current { get; }

    /// <summary>Fetches the next message; false when the peer has sent its last.</summary>
    Task<bool> MoveNext(CancellationToken cancellationToken);
}
