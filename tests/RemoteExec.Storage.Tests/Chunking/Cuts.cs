using System.Security.Cryptography;

namespace RemoteExec.Storage.Tests;

/// <summary>What a test asks of a chunker.</summary>
internal static class Cuts
{
    /// <summary>Sizes of all chunks, of a stream whose bytes come as <paramref name="pieces"/> says; the last size goes on.</summary>
    public static List<int> Of(IChunker chunker, ReadOnlySpan<byte> data, params IReadOnlyList<int> pieces)
    {
        var sizes = new List<int>();
        int start = 0, arrived = 0, piece = 0;
        while (start < data.Length)
        {
            int size = chunker.Next(data[start..arrived], isLast: arrived == data.Length);
            if (size == 0)
            {
                arrived = Math.Min(data.Length, arrived + (pieces.Count == 0 ? data.Length : pieces[Math.Min(piece++, pieces.Count - 1)]));
                continue;
            }

            sizes.Add(size);
            start += size;
        }

        return sizes;
    }

    /// <summary>The high half of MD5 over 64 copies, read again from the definition and by other means.</summary>
    public static ulong Gear(byte value)
    {
#pragma warning disable CA5351 // the algorithm's own table
        return ulong.Parse(
            Convert.ToHexString(MD5.HashData(Enumerable.Repeat(value, 64).ToArray()))[..16], System.Globalization.NumberStyles.HexNumber, System.Globalization.CultureInfo.InvariantCulture);
#pragma warning restore CA5351
    }
}
