using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace RemoteExec.Core;

/// <summary>One input at a time, in plain arithmetic: for the last pieces of an input, and for processors without vectors.</summary>
internal readonly struct Blake3Lanes1 : IBlake3Lanes<uint>
{
    public static int Count => 1;

    public static uint Splat(uint value) => value;

    public static uint Add(uint left, uint right) => left + right;

    public static uint Xor(uint left, uint right) => left ^ right;

    public static uint RotateRight16(uint value) => BitOperations.RotateRight(value, 16);

    public static uint RotateRight12(uint value) => BitOperations.RotateRight(value, 12);

    public static uint RotateRight8(uint value) => BitOperations.RotateRight(value, 8);

    public static uint RotateRight7(uint value) => BitOperations.RotateRight(value, 7);

    public static void LoadBlocks(ref byte blocks, nuint strideBytes, ref uint words)
    {
        var block = MemoryMarshal.CreateReadOnlySpan(ref blocks, Blake3.BlockBytes);
        for (int i = 0; i < 16; i++)
            Unsafe.Add(ref words, i) = BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * i)..]);
    }

    public static void StoreChainingValues(ref uint words, ref byte chainingValues)
    {
        var bytes = MemoryMarshal.CreateSpan(ref chainingValues, Blake3.HashBytes);
        for (int i = 0; i < 8; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(4 * i)..], Unsafe.Add(ref words, i));
    }
}
