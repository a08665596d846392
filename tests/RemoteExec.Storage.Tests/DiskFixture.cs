using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>A disk store in a directory of its own, which may be closed and opened again.</summary>
public abstract class DiskFixture
{
    private protected static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private protected ManualTime Time { get; private set; } = null!;

    private protected Scratch Scratch { get; private set; } = null!;

    private protected string StoreDirectory => Scratch.Sub("cas");

    [SetUp]
    public void CreateScratch()
    {
        Time = new ManualTime();
        Scratch = new Scratch();
    }

    [TearDown]
    public void DeleteScratch() => Scratch.Dispose();

    private protected Task<DiskBlobStore> OpenAsync(long limitBytes = 64 << 20, IDisk? disk = null, string? directory = null, Action<string?>? writeFaultChanged = null, IBlobStoreObserver? observer = null, TimeProvider? time = null) =>
        DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions
            {
                Directory = directory ?? StoreDirectory,
                LimitBytes = limitBytes,
                Retention = Retention,
                Disk = disk ?? new Disk(),
                WriteFaultChanged = writeFaultChanged,
                Observer = observer,
            },
            time ?? Time,
            default);

    /// <summary>The promise of S1 and S10: accounting equal to the files, nothing unfinished, nothing empty.</summary>
    private protected static void AssertConsistent(DiskBlobStore store)
    {
        var files = BlobFilesIn(store.Files.Root);
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(files.Sum(file => file.Length)));
        Assert.That(store.Usage.Blobs, Is.EqualTo(files.Count(file => !file.Name.EndsWith(".data", StringComparison.Ordinal))));
        Assert.That(store.Usage.ReservedBytes, Is.Zero);
        Assert.That(files.Where(file => file.Length == 0), Is.Empty);
        Assert.That(Directory.EnumerateFileSystemEntries(Path.Combine(store.Files.Root, "temp")), Is.Empty);
    }

    private protected static List<FileInfo> BlobFilesIn(string root) =>
        [.. new DirectoryInfo(Path.Combine(root, "blobs")).EnumerateFiles("*", SearchOption.AllDirectories)];

    private protected string FileOf(in Digest digest) =>
        Directory.EnumerateFiles(Path.Combine(StoreDirectory, "blobs"), BlobFiles.NameOf(digest), SearchOption.AllDirectories).Single();

    private protected static UnixFileMode ModeOf(string path) => File.GetUnixFileMode(path);
}
