namespace RemoteExec.Rpc.Tests;

/// <summary>
/// One frame (RFC 9113 section 4.1).
/// <code>
/// | length (3) | type (1) | flags (1) | stream id (4) | payload (length) |
/// </code>
/// </summary>
internal sealed record Http2Frame(Http2FrameType Type, byte Flags, int StreamId, byte[] Payload)
{
    public const byte EndStream = 0x1;
    public const byte Ack = 0x1;
    public const byte EndHeaders = 0x4;

    public bool IsEndStream => Type is Http2FrameType.Data or Http2FrameType.Headers && (Flags & EndStream) != 0;
}
