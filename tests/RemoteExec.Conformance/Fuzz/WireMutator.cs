using System.Buffers.Binary;

namespace RemoteExec.Conformance;

/// <summary>Changes bytes that know nothing of what they mean.</summary>
internal sealed class WireMutator(Random random)
{
    // Field 1000 with a text; a field that ends in the middle; a group; a varint of eleven bytes; the field number 0.
    private static readonly byte[][] Additions =
    [
        [0xC2, 0x3E, 3, 1, 2, 3], [0x0A, 0x7F], [0x0B], [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01], [0x00, 0x00], [0x12, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x80],
    ];

    public byte[] Mutate(byte[] bytes)
    {
        int at = random.Next(bytes.Length + 1);
        switch (random.Next(7))
        {
            case 0 when bytes.Length > 0:
                byte[] flipped = [.. bytes];
                for (int i = random.Next(1, 5); i > 0; i--) flipped[random.Next(flipped.Length)] ^= (byte)(1 << random.Next(8));
                return flipped;
            case 1:
                return bytes[..at];
            case 2:
                return bytes[at..];
            case 3:
                return [.. bytes, .. bytes];
            case 4:
                return [.. bytes, .. Additions[random.Next(Additions.Length)]];
            case 5:
                byte[] noise = new byte[random.Next(1, 200)];
                random.NextBytes(noise);
                return [.. bytes[..at], .. noise, .. bytes[at..]];
            default:
                return [.. bytes[..at], .. Additions[random.Next(Additions.Length)], .. bytes[at..]];
        }
    }

    /// <summary>A message in a frame that is not what it says: its length, its flag, its end.</summary>
    public byte[] Frame(byte[] message)
    {
        byte[] frame = RawClient.Frame(message);
        switch (random.Next(5))
        {
            case 0:
                frame[0] = (byte)random.Next(1, 256);
                return frame;
            case 1:
                BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length + random.Next(1, 1000));
                return frame;
            case 2:
                BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), random.Next(int.MinValue, int.MaxValue));
                return frame;
            case 3:
                return frame[..random.Next(frame.Length)];
            default:
                return [.. frame, .. frame];
        }
    }
}
