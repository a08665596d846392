using Microsoft.Win32.SafeHandles;
using NUnit.Framework;

namespace RemoteExec.Files.Tests;

[TestFixture]
internal sealed class DurableDirectoryTests
{
    private readonly SpyingDisk _disk = new();
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void Create()
    {
        _disk.Flushed.Clear();
        _folder = new TemporaryFolder();
    }

    [TearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void Every_directory_that_got_a_name_is_flushed_once_when_all_names_are_there()
    {
        DurableDirectory.Create(_disk, _folder.Combine("a/b/c"), _folder.Combine("a/b/d"));

        Assert.That(_folder.Entries(), Is.EqualTo(new[] { "a", "a/b", "a/b/c", "a/b/d" }));
        Assert.That(_disk.Flushed.Keys, Is.EquivalentTo(new[] { _folder.Path, _folder.Combine("a"), _folder.Combine("a/b") }));
        Assert.That(_disk.Flushed[_folder.Path], Is.EqualTo(new[] { "a" }));
        Assert.That(_disk.Flushed[_folder.Combine("a/b")], Is.EqualTo(new[] { "c", "d" }), "flushed when both were there");
    }

    [Test]
    public void What_is_there_already_costs_nothing_and_works_on_a_full_disk()
    {
        using var mount = Mount.Tmpfs(_folder.Combine("full"), "size=1m,nr_inodes=3");
        DurableDirectory.Create(_disk, Path.Combine(mount.Path, "a"));
        var full = Assert.Throws<IOException>(() => DurableDirectory.Create(_disk, Path.Combine(mount.Path, "b"), Path.Combine(mount.Path, "c")));
        Assert.That(Errno.IsOutOfRoom(full!), Is.True);
        _disk.Flushed.Clear();

        DurableDirectory.Create(_disk, Path.Combine(mount.Path, "a"));

        Assert.That(_disk.Flushed, Is.Empty);
    }

    [Test]
    public void A_flush_that_fails_is_told_with_the_directory()
    {
        _disk.Answer = Errno.EIO;
        var failure = Assert.Throws<FileSystemException>(() => DurableDirectory.Create(_disk, _folder.Combine("a")));
        Assert.That(failure!.Message, Does.Contain(_folder.Path));
        Assert.That(failure.Errno, Is.EqualTo(Errno.EIO));
        _disk.Answer = 0;
    }

    /// <summary>Notes which directory was flushed, and what was in it.</summary>
    private sealed class SpyingDisk : IDisk
    {
        public Dictionary<string, string[]> Flushed { get; } = [];

        public int Answer { get; set; }

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            string path = new FileInfo($"/proc/self/fd/{fileOrDirectory.DangerousGetHandle()}").LinkTarget!;
            Flushed.Add(path, [.. Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry)!).Order(StringComparer.Ordinal)]);
            return Answer;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => RandomAccess.Read(file, buffer, offset);
    }
}
