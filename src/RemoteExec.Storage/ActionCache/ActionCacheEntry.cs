using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// One result as a file:
/// <code>
/// "RXA1" | CRC-32C of all that follows (4) | key length (4) | key, UTF-8 | ActionResult        little-endian
/// </code>
/// The key is repeated inside, so a file under a wrong name is no result of that action.
/// </summary>
internal static class ActionCacheEntry
{
    private const int HeaderBytes = 12;

    private static ReadOnlySpan<byte> Magic => "RXA1"u8;

    /// <summary>The file's name: instance names may hold anything and be of any length.</summary>
    public static string FileNameOf(in ActionCacheKey key) => Convert.ToHexStringLower(SHA256.HashData(KeyBytes(key)));

    public static byte[] Write(in ActionCacheKey key, ActionResult result)
    {
        byte[] keyBytes = KeyBytes(key);
        byte[] entry = new byte[HeaderBytes + keyBytes.Length + result.CalculateSize()];
        Magic.CopyTo(entry);
        BinaryPrimitives.WriteInt32LittleEndian(entry.AsSpan(8), keyBytes.Length);
        keyBytes.CopyTo(entry.AsSpan(HeaderBytes));
        result.WriteTo(entry.AsSpan(HeaderBytes + keyBytes.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(entry.AsSpan(4), Crc32C.Of(entry.AsSpan(8)));
        return entry;
    }

    /// <summary>False for whatever is not exactly what was written: torn, foreign, of another key.</summary>
    public static bool TryRead(ReadOnlySpan<byte> entry, in ActionCacheKey key, [NotNullWhen(true)] out ActionResult? result)
    {
        result = null;
        if (entry.Length < HeaderBytes || !entry.StartsWith(Magic)) return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(entry[4..]) != Crc32C.Of(entry[8..])) return false;

        byte[] keyBytes = KeyBytes(key);
        if (BinaryPrimitives.ReadInt32LittleEndian(entry[8..]) != keyBytes.Length) return false;
        if (!entry[HeaderBytes..].StartsWith(keyBytes)) return false;

        result = ActionResult.Parser.ParseFrom(entry[(HeaderBytes + keyBytes.Length)..]);
        return true;
    }

    // A digest has no line feed, so the two parts cannot be shifted against each other.
    private static byte[] KeyBytes(in ActionCacheKey key) =>
        Encoding.UTF8.GetBytes($"{key.Action.Function.WireName()}-{key.Action.Hash}-{key.Action.SizeBytes}\n{key.Instance.Value}");
}
