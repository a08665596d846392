using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>With every blob a file, with small ones in segments, and with segments that are soon full.</summary>
[TestFixture(0, 0)]
[TestFixture(4096, 64 << 20)]
[TestFixture(4096, 16 << 10)]
public sealed class DiskBlobStoreContractTests(int packedBytesMax, int segmentBytes) : RetentionContract
{
    private Scratch _scratch = null!;

    private protected override BlobStoreUsage Usage => ((DiskBlobStore)Store).Usage;

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _scratch = new Scratch();
        return await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions
            {
                Directory = _scratch.Path,
                LimitBytes = LimitBytes,
                Retention = Retention,
                PackedBytesMax = packedBytesMax,
                LoggedBytesMax = packedBytesMax == 0 ? 0 : new DiskBlobStoreOptions { Directory = "", LimitBytes = 0 }.LoggedBytesMax,
                SegmentBytes = segmentBytes,
            },
            Time,
            default);
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        var disk = (DiskBlobStore)store;
        await disk.Keeper.IdleAsync();
        long usedBytes = Usage.UsedBytes - Segments.LivingIn(disk).Sum(record => record.Digest.SizeBytes);
        Assert.That(Usage.ReservedBytes, Is.Zero);
        await disk.DisposeAsync();
        // After every single test: the accounting is the sum over files and records, and no temp is left.
        long onDisk = Directory.EnumerateFiles(_scratch.Sub("blobs"), "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Assert.That(usedBytes, Is.EqualTo(onDisk));
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Sub("temp")), Is.Empty);
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Sub("quarantine")), Is.Empty);
        _scratch.Dispose();
    }
}
