using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace RemoteExec.Files;

/// <summary>CRC-32C (Castagnoli; RFC 3720, 12.1): tells torn and rotten files of ours from whole ones. By the processor's own instruction where it has one.</summary>
public static class Crc32C
{
    public const uint Seed = uint.MaxValue;

    /// <summary>Takes in more bytes; start with <see cref="Seed"/>, and the checksum is the complement of the last answer.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)] // compiled ahead of time it would call a method for each word
    public static uint Update(uint crc, ReadOnlySpan<byte> data)
    {
        while (data.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[sizeof(ulong)..];
        }

        foreach (byte value in data) crc = BitOperations.Crc32C(crc, value);
        return crc;
    }

    public static uint Of(ReadOnlySpan<byte> data) => ~Update(Seed, data);
}
