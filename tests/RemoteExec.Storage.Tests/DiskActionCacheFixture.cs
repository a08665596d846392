using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using NUnit.Framework;
using RemoteExec.Core;
using Directory = System.IO.Directory;

namespace RemoteExec.Storage.Tests;

/// <summary>A directory of results that may be opened again and again, as after a kill: nothing is closed before the test's end.</summary>
public abstract class DiskActionCacheFixture
{
    private readonly List<DiskActionCache> _opened = [];

    private protected ManualTime Time { get; private set; } = null!;

    private protected Scratch Scratch { get; private set; } = null!;

    private protected string Folder => Scratch.Sub("ac");

    [SetUp]
    public void CreateScratch()
    {
        Time = new ManualTime();
        Scratch = new Scratch();
    }

    [TearDown]
    public void CloseAndDelete()
    {
        Close();
        Scratch.Dispose();
    }

    private protected static ActionCacheKey Key(int seed) => new(default, Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(seed)));

    /// <summary>A result that no other one is equal to, of about this size.</summary>
    private protected static ActionResult Result(int key, int version, int bytes = 0) =>
        new() { ExitCode = key, StdoutRaw = ByteString.CopyFrom(Blobs.Of((key * 1000) + version, bytes)), StderrRaw = ByteString.CopyFromUtf8($"{key}.{version}") };

    private protected DiskActionCache Open(int entriesMax = 100_000, long limitBytes = 64 << 20, string? folder = null, IDisk? disk = null)
    {
        var cache = DiskActionCache.Open(
            new DiskActionCacheOptions { Directory = folder ?? Folder, EntriesMax = entriesMax, LimitBytes = limitBytes, Disk = disk ?? new Disk() }, Time);
        _opened.Add(cache);
        return cache;
    }

    private protected void Close()
    {
        foreach (var cache in _opened) cache.Dispose();
        _opened.Clear();
    }

    private protected string[] Segments() => [.. Directory.EnumerateFiles(Folder).Order(StringComparer.Ordinal)];

    private protected long BytesOnDisk() => Segments().Sum(file => new FileInfo(file).Length);
}
