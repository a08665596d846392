namespace Grpc.Core;

/// <summary>Hints for one written message.</summary>
[Flags]
public enum WriteFlags
{
    None = 0,

    /// <summary>More follows at once: the bytes may wait for it.</summary>
    BufferHint = 1,

    /// <summary>Send this message as it is even if the call compresses.</summary>
    NoCompress = 2,
}
