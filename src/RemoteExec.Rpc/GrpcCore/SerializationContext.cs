using System.Buffers;

namespace Grpc.Core;

/// <summary>Where a marshaller writes one message.</summary>
public abstract class SerializationContext
{
    /// <summary>Writes the whole message at once, and completes it.</summary>
    public abstract void Complete(byte[] payload);

    /// <summary>A writer for the message; call <see cref="SetPayloadLength"/> first if the length is known.</summary>
    public abstract IBufferWriter<byte> GetBufferWriter();

    /// <summary>The message's length, before its first byte: it then goes straight into the connection.</summary>
    public abstract void SetPayloadLength(int payloadLength);

    /// <summary>Says that what was written is the whole message.</summary>
    public abstract void Complete();
}
