namespace RemoteExec.Storage;

/// <summary>A reader of a blob that is stored compressed: as one zstd frame, which can be given out as it is.</summary>
public interface IStoredFrame
{
    /// <summary>
    /// Reads the frame, whose bytes are those that remain of it: instead of any other reading, and disposed of with its owner. Null for a reader that
    /// does not begin where the blob does.
    /// </summary>
    ISynchronousBlobReader? Frame { get; }
}
