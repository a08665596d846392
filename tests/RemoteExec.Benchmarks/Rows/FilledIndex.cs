using System.Buffers.Binary;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>An index of many small blobs, of which nothing is on any disk.</summary>
internal static class FilledIndex
{
    public const int BlobBytes = 1000;

    public static readonly TimeSpan Retention = TimeSpan.FromHours(6);

    public static readonly TimeSpan Granularity = TimeSpan.FromMinutes(10);

    public static Digest DigestOf(int number)
    {
        Span<byte> hash = stackalloc byte[32];
        ulong state = (ulong)number;
        for (int i = 0; i < 4; i++)
        {
            // splitmix64: as scattered as a hash, and a hundred times cheaper.
            state += 0x9E3779B97F4A7C15;
            ulong mixed = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
            BinaryPrimitives.WriteUInt64LittleEndian(hash[(8 * i)..], mixed ^ (mixed >> 31));
        }

        return Digest.FromHash(DigestFunction.Sha256, hash, BlobBytes);
    }

    public static BlobIndex Of(int blobs, DateTimeOffset now, IUseRecorder? recorder = null)
    {
        // Full, so that the next one needs room.
        var index = new BlobIndex((long)blobs * BlobBytes, Retention, Granularity, recorder);
        Add(index, 0, blobs, now);
        return index;
    }

    public static void Add(BlobIndex index, int first, int count, DateTimeOffset now)
    {
        var results = new AddResult[BlobIndex.EntriesPerHold];
        foreach (var blobs in Blobs(first, count))
        {
            index.Reserve((long)blobs.Length * BlobBytes, now, _ => { });
            index.AddMany(blobs, now, results);
        }
    }

    /// <summary>The same blobs as a segment has them.</summary>
    public static SegmentRecord[] Records(int count)
    {
        var records = new SegmentRecord[count];
        for (int i = 0; i < count; i++) records[i] = new SegmentRecord(DigestOf(i), i);
        return records;
    }

    /// <summary>In pieces that an index takes at once.</summary>
    public static IEnumerable<StoredBlob[]> Blobs(int first, int count)
    {
        for (int start = first; start < first + count; start += BlobIndex.EntriesPerHold)
        {
            var blobs = new StoredBlob[Math.Min(BlobIndex.EntriesPerHold, first + count - start)];
            for (int i = 0; i < blobs.Length; i++) blobs[i] = new StoredBlob(DigestOf(start + i), new BlobPlace(1, start + i), BlobFileKinds.None);
            yield return blobs;
        }
    }
}
