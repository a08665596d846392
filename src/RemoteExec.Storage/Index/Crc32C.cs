using System.Numerics;
using System.Runtime.InteropServices;

namespace RemoteExec.Storage;

/// <summary>CRC-32C (Castagnoli, RFC 3720 12.1), by the processor's own instruction where it has one.</summary>
internal static class Crc32C
{
    public static uint Of(ReadOnlySpan<byte> data)
    {
        uint crc = ~0u;
        for (; data.Length >= 8; data = data[8..])
            crc = BitOperations.Crc32C(crc, MemoryMarshal.Read<ulong>(data));
        foreach (byte value in data)
            crc = BitOperations.Crc32C(crc, value);
        return ~crc;
    }
}
