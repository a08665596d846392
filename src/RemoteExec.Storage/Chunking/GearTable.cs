using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace RemoteExec.Storage;

/// <summary>
/// The rolling hash of both algorithms: <c>hash = (hash &lt;&lt; 1) + gear[byte]</c>, so that a byte is forgotten after 64 others. The table is
/// the high 64 bits of MD5 over 64 copies of the byte: REAPI's comment leaves the copies out, and only they give its published vectors (REAPI C8).
/// </summary>
internal sealed class GearTable
{
    /// <summary>So many bytes decide the hash.</summary>
    public const int WindowBytes = 64;

    private static readonly ulong[] Unseeded = MakeValues();

    private readonly ulong[] _values = Unseeded;

    /// <param name="seed">Differs between farms that do not want their chunks' sizes to tell what they are; 0 is what everybody shares.</param>
    public GearTable(ulong seed)
    {
        if (seed != 0) _values = [.. Unseeded.Select(value => value ^ seed)];
    }

    /// <summary>A byte is never outside of the table, so nothing is checked: these are the innermost loops.</summary>
    public ref ulong First => ref MemoryMarshal.GetArrayDataReference(_values);

    /// <summary>The hash at the end of a window.</summary>
    public ulong Hash(ReadOnlySpan<byte> window)
    {
        ulong hash = 0;
        foreach (byte value in window) hash = (hash << 1) + Unsafe.Add(ref First, value);
        return hash;
    }

    private static ulong[] MakeValues()
    {
        var values = new ulong[256];
        Span<byte> copies = stackalloc byte[WindowBytes];
        Span<byte> hash = stackalloc byte[MD5.HashSizeInBytes];
        for (int i = 0; i < values.Length; i++)
        {
            copies.Fill((byte)i);
#pragma warning disable CA5351 // a table of constants, no secret
            MD5.HashData(copies, hash);
#pragma warning restore CA5351
            values[i] = System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(hash);
        }

        return values;
    }
}
