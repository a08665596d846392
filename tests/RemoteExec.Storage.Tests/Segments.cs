using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Looks into the segments of a store from outside.</summary>
internal static class Segments
{
    /// <summary>The numbers of those that are there.</summary>
    public static IReadOnlyList<int> NumbersIn(string root) =>
        [.. Directory.GetFiles(Path.Combine(root, "segments")).Select(Path.GetFileName).Where(name => int.TryParse(name, out _)).Select(name => int.Parse(name!)).Order()];

    public static string PathOf(string root, int number) => Path.Combine(root, "segments", $"{number}");

    /// <summary>What a restart would find in one.</summary>
    public static SegmentScan Scan(string root, int number)
    {
        using var file = File.OpenHandle(PathOf(root, number), share: FileShare.ReadWrite | FileShare.Delete);
        return SegmentScan.Read(file, new Disk(), MarkOf(root, number));
    }

    public static ulong MarkOf(string root, int number)
    {
        byte[] header = new byte[SegmentFormat.HeaderBytes];
        using var file = File.OpenHandle(PathOf(root, number), share: FileShare.ReadWrite | FileShare.Delete);
        _ = RandomAccess.Read(file, header, 0);
        Assert.That(SegmentFormat.TryReadHeader(header, out ulong mark));
        return mark;
    }

    /// <summary>The records that blobs are read from.</summary>
    public static List<SegmentRecord> LivingIn(DiskBlobStore store)
    {
        var living = new List<SegmentRecord>();
        foreach (int number in NumbersIn(store.Files.Root))
        {
            Assert.That(Segment.TryReadDead(PathOf(store.Files.Root, number) + ".dead", new Disk(), out var dead));
            living.AddRange(Scan(store.Files.Root, number).Records.Where(record => !dead.Contains(record.Offset) && store.IsAt(record.Digest, new BlobPlace(number, record.Offset))));
        }

        return living;
    }

    public static bool Has(DiskBlobStore store, Digest digest) => LivingIn(store).Any(record => record.Digest == digest);
}
