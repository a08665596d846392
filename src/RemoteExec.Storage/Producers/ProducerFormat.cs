using System.Buffers.Binary;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of what was learnt: a <see cref="FramedLog"/> whose bodies are
/// <code>
/// hash function (1) | action: hash, size (8) | keys of its outputs (16 each)
/// 0 (1) | keys of what is forgotten (16 each)
/// </code>
/// Little-endian. A later frame replaces what an earlier one says of a key.
/// </summary>
internal static class ProducerFormat
{
    /// <summary>Of one frame; an action with more outputs has several.</summary>
    public const int KeysMax = 4096;

    private const byte Forgotten = 0;

    public static readonly FrameFormat Frames = new()
    {
        Magic = "RXPRODU1", ChecksumFirst = true, BodyBytesMax = 1 + DigestFunctions.HashBytesMax + sizeof(long) + (KeysMax * ProducerKey.Bytes),
    };

    /// <param name="action">Null to forget.</param>
    public static byte[] ToFrame(Digest? action, ReadOnlySpan<UInt128> outputs)
    {
        byte[] frame = new byte[Frames.HeadBytes + ActionBytes(action?.Function) + (outputs.Length * ProducerKey.Bytes)];
        var body = frame.AsSpan(Frames.HeadBytes);
        if (action is { } known)
        {
            body[0] = (byte)known.Function;
            known.CopyHashTo(body[1..]);
            BinaryPrimitives.WriteInt64LittleEndian(body[(1 + known.HashBytes)..], known.SizeBytes);
        }

        var keys = body[ActionBytes(action?.Function)..];
        for (int i = 0; i < outputs.Length; i++) BinaryPrimitives.WriteUInt128LittleEndian(keys[(i * ProducerKey.Bytes)..], outputs[i]);
        Frames.Seal(frame);
        return frame;
    }

    /// <summary>False for an intact frame that says nothing we know.</summary>
    public static bool TryRead(ReadOnlySpan<byte> frame, out Digest? action, out UInt128[] outputs)
    {
        var body = frame[Frames.HeadBytes..];
        (action, outputs) = (null, []);
        DigestFunction? function = null;
        if (body[0] != Forgotten)
        {
            if (!DigestFunctions.TryFromNumber(body[0], out var known)) return false;
            function = known;
        }

        int actionBytes = ActionBytes(function);
        if (body.Length < actionBytes || (body.Length - actionBytes) % ProducerKey.Bytes != 0) return false;
        if (function is { } named)
        {
            long size = BinaryPrimitives.ReadInt64LittleEndian(body[(1 + named.HashBytes())..]);
            if (size < 0) return false;
            action = Digest.FromHash(named, body.Slice(1, named.HashBytes()), size);
        }

        outputs = new UInt128[(body.Length - actionBytes) / ProducerKey.Bytes];
        for (int i = 0; i < outputs.Length; i++)
            outputs[i] = BinaryPrimitives.ReadUInt128LittleEndian(body[(actionBytes + (i * ProducerKey.Bytes))..]);
        return true;
    }

    private static int ActionBytes(DigestFunction? function) => function is { } known ? 1 + known.HashBytes() + sizeof(long) : 1;
}
