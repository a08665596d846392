namespace RemoteExec.Storage;

/// <summary>
/// Finds where a stream of bytes is cut by its content. It keeps no bytes: it is shown those from the last cut on, as many as there are
/// so far, and remembers how far it looked. How they came does not matter. For one stream at a time.
/// </summary>
public interface IChunker
{
    /// <summary>No chunk is smaller, but for a blob's last one or a blob that is.</summary>
    int ChunkBytesMin { get; }

    /// <summary>No chunk is larger.</summary>
    int ChunkBytesMax { get; }

    /// <summary>So many bytes always hold the next cut.</summary>
    int WindowBytesMax { get; }

    /// <summary>How long the first chunk of the window is; the next window begins behind it.</summary>
    /// <param name="window">All bytes since the last cut that there are so far.</param>
    /// <param name="isLast">The window ends where the stream does.</param>
    /// <returns>0 when more bytes are needed, and for an empty window.</returns>
    int Next(ReadOnlySpan<byte> window, bool isLast);
}
