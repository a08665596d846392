using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace RemoteExec.Storage;

/// <summary>
/// The name of an output inside its instance, in sixteen bytes: outputs of one instance are nobody's in another. Hashed, so that
/// nobody can choose two that meet; should two meet, an action runs for nothing.
/// </summary>
internal static class ProducerKey
{
    public const int Bytes = 16;

    /// <summary>The key under which the first of several that made it stands, beside the last.</summary>
    public static UInt128 First(UInt128 key) => ~key;

    public static UInt128 Of(InstanceName instance, Digest output)
    {
        // function (1) | size (8) | hash (its function's length) | instance
        Span<byte> name = stackalloc byte[1 + sizeof(long) + DigestFunctions.HashBytesMax + InstanceName.LengthMax * 3];
        name[0] = (byte)output.Function;
        BinaryPrimitives.WriteInt64LittleEndian(name[1..], output.SizeBytes);
        output.CopyHashTo(name[(1 + sizeof(long))..]);
        int length = 1 + sizeof(long) + output.HashBytes;
        length += Encoding.UTF8.GetBytes(instance.Value, name[length..]);

        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(name[..length], hash);
        return BinaryPrimitives.ReadUInt128LittleEndian(hash);
    }
}
