using System.Buffers.Binary;

namespace RemoteExec.Conformance;

/// <summary>Walks the frames and blocks of zstd without decoding them (RFC 8878, 3.1).</summary>
internal static class Frames
{
    private const uint Magic = 0xFD2FB528;

    public static int Count(ReadOnlySpan<byte> data)
    {
        int frames = 0;
        for (; data.Length > 0; frames++)
        {
            if (BinaryPrimitives.ReadUInt32LittleEndian(data) != Magic) throw new InvalidDataException("this is no zstd frame");
            byte descriptor = data[4];
            bool isSingleSegment = (descriptor & 0x20) != 0;
            int sizeBytes = (descriptor >> 6) switch { 0 => isSingleSegment ? 1 : 0, 1 => 2, 2 => 4, _ => 8 };
            int dictionaryBytes = (descriptor & 3) switch { 0 => 0, 1 => 1, 2 => 2, _ => 4 };
            data = data[(5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + sizeBytes)..];
            for (bool isLast = false; !isLast;)
            {
                int header = data[0] | (data[1] << 8) | (data[2] << 16);
                isLast = (header & 1) != 0;
                // A block of one repeated byte has one byte, whatever its size.
                data = data[(3 + (((header >> 1) & 3) == 1 ? 1 : header >> 3))..];
            }

            if ((descriptor & 4) != 0) data = data[4..]; // checksum
        }

        return frames;
    }
}
