using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class DiskBlobStoreContractTests : RetentionContract
{
    private Scratch _scratch = null!;

    private protected override BlobStoreUsage Usage => ((DiskBlobStore)Store).Usage;

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _scratch = new Scratch();
        return await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = _scratch.Path, LimitBytes = LimitBytes, Retention = Retention }, Time, default);
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        long usedBytes = Usage.UsedBytes;
        await ((DiskBlobStore)store).DisposeAsync();
        // After every single test: the accounting is the sum over the files, and no temp is left.
        long onDisk = Directory.EnumerateFiles(_scratch.Sub("blobs"), "*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Assert.That(usedBytes, Is.EqualTo(onDisk));
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Sub("temp")), Is.Empty);
        Assert.That(Directory.EnumerateFileSystemEntries(_scratch.Sub("quarantine")), Is.Empty);
        _scratch.Dispose();
    }
}
