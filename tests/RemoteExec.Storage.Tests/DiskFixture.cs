using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>A disk store in a directory of its own, which may be closed and opened again.</summary>
public abstract class DiskFixture
{
    private protected static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private static readonly DiskBlobStoreOptions Defaults = new() { Directory = "", LimitBytes = 0 };

    private protected static int PackedBytesMax => Defaults.PackedBytesMax;

    private protected static int LoggedBytesMax => Defaults.LoggedBytesMax;

    private protected ManualTime Time { get; private set; } = null!;

    private protected Scratch Scratch { get; private set; } = null!;

    /// <summary>Whether small blobs go to segments; without, each is a file from the start.</summary>
    private protected virtual bool IsPacked => true;

    private protected string StoreDirectory => Scratch.Sub("cas");

    [SetUp]
    public void CreateScratch()
    {
        Time = new ManualTime();
        Scratch = new Scratch();
    }

    [TearDown]
    public void DeleteScratch() => Scratch.Dispose();

    private protected Task<DiskBlobStore> OpenAsync(long limitBytes = 64 << 20, IDisk? disk = null, string? directory = null, Action<string?>? writeFaultChanged = null, IBlobStoreObserver? observer = null, TimeProvider? time = null, int segmentBytes = 64 << 20, long readTwiceBytesMax = 64 << 20, bool compressesAtRest = false) =>
        DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions
            {
                Directory = directory ?? StoreDirectory,
                LimitBytes = limitBytes,
                Retention = Retention,
                Disk = disk ?? new Disk(),
                WriteFaultChanged = writeFaultChanged,
                Observer = observer,
                PackedBytesMax = IsPacked ? PackedBytesMax : 0,
                LoggedBytesMax = IsPacked ? LoggedBytesMax : 0,
                SegmentBytes = segmentBytes,
                ReadTwiceBytesMax = readTwiceBytesMax,
                CompressesAtRest = compressesAtRest,
            },
            time ?? Time,
            default);

    /// <summary>The promise of S1 and S10: accounting equal to the files and records, nothing unfinished, nothing empty.</summary>
    private protected static async Task AssertConsistentAsync(DiskBlobStore store)
    {
        await store.Keeper.IdleAsync();
        var files = BlobFilesIn(store.Files.Root);
        var records = Segments.LivingIn(store);
        var names = files.Select(file => file.Name.Split('.')[0]).Concat(records.Select(record => BlobFiles.NameOf(record.Digest)));
        Assert.That(store.Segments.LivingDataBytes, Is.EqualTo(records.Sum(record => record.Digest.SizeBytes)));
        Assert.That(store.Usage.UsedBytes, Is.EqualTo(files.Sum(file => file.Length) + records.Sum(record => record.Digest.SizeBytes)));
        Assert.That(store.Usage.Blobs, Is.EqualTo(names.Distinct().Count()));
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
