using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>SHA-256 of a key: instance names may hold anything and be of any length, and a record's head has a fixed one.</summary>
internal readonly record struct ResultName
{
    public const int Bytes = SHA256.HashSizeInBytes;

    private readonly ulong _first;
    private readonly ulong _second;
    private readonly ulong _third;
    private readonly ulong _fourth;

    private ResultName(ReadOnlySpan<byte> hash)
    {
        _first = BinaryPrimitives.ReadUInt64LittleEndian(hash);
        _second = BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]);
        _third = BinaryPrimitives.ReadUInt64LittleEndian(hash[16..]);
        _fourth = BinaryPrimitives.ReadUInt64LittleEndian(hash[24..]);
    }

    public static ResultName Of(in ActionCacheKey key)
    {
        // A digest has no line feed, so the two parts cannot be shifted against each other.
        byte[] text = Encoding.UTF8.GetBytes(
            $"{key.Action.Function.WireName()}-{key.Action.Hash}-{key.Action.SizeBytes}\n{key.Instance.Value}");
        Span<byte> hash = stackalloc byte[Bytes];
        SHA256.HashData(text, hash);
        return new ResultName(hash);
    }

    public static ResultName Read(ReadOnlySpan<byte> hash) => new(hash);

    public void WriteTo(Span<byte> hash)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(hash, _first);
        BinaryPrimitives.WriteUInt64LittleEndian(hash[8..], _second);
        BinaryPrimitives.WriteUInt64LittleEndian(hash[16..], _third);
        BinaryPrimitives.WriteUInt64LittleEndian(hash[24..], _fourth);
    }

    // Any part of a cryptographic hash is as good as a hash of all of it.
    public override int GetHashCode() => (int)_first;
}
