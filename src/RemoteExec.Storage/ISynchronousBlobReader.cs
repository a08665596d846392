namespace RemoteExec.Storage;

/// <summary>A reader whose bytes are at hand, in memory or in a file: it can read into a buffer that nobody may wait with.</summary>
public interface ISynchronousBlobReader : IBlobReader
{
    /// <summary>Reads into the caller's memory; 0 is the end of the blob.</summary>
    int Read(Span<byte> buffer);
}
