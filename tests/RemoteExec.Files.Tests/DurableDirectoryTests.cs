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
        Assert.That(_disk.Flushed.Keys, Is.SupersetOf(new[] { _folder.Path, _folder.Combine("a"), _folder.Combine("a/b") }));
        Assert.That(_disk.Flushed[_folder.Path], Is.EqualTo(new[] { "a" }));
        Assert.That(_disk.Flushed[_folder.Combine("a/b")], Is.EqualTo(new[] { "c", "d" }), "flushed when both were there");
    }

    [Test]
    public void What_a_killed_process_has_made_is_flushed_by_the_next()
    {
        Directory.CreateDirectory(_folder.Combine("a/b/c"));

        DurableDirectory.Create(_disk, _folder.Combine("a/b/c"));

        Assert.That(_disk.Flushed.Keys, Is.SupersetOf(new[] { _folder.Path, _folder.Combine("a"), _folder.Combine("a/b") }));
    }

    [TestCase(Errno.ENOSPC, true)]
    [TestCase(Errno.EROFS, true)]
    [TestCase(Errno.EACCES, true)]
    [TestCase(Errno.EINVAL, true)]
    [TestCase(Errno.EIO, false)]
    public void A_flush_that_fails_where_nothing_is_new_is_told_only_when_the_disk_is_bad(int errno, bool isFine)
    {
        Directory.CreateDirectory(_folder.Combine("a"));
        _disk.Answer = errno;

        Assert.That(
            () => DurableDirectory.Create(_disk, _folder.Combine("a")), isFine ? Throws.Nothing : Throws.InstanceOf<FileSystemException>());
        _disk.Answer = 0;
    }

    [Test]
    public void What_is_there_already_works_on_a_full_disk()
    {
        using var mount = Mount.Tmpfs(_folder.Combine("full"), "size=1m,nr_inodes=3");
        DurableDirectory.Create(_disk, Path.Combine(mount.Path, "a"));
        var full = Assert.Throws<IOException>(() => DurableDirectory.Create(_disk, Path.Combine(mount.Path, "b"), Path.Combine(mount.Path, "c")));
        Assert.That(Errno.IsOutOfRoom(full!), Is.True);
        _disk.Flushed.Clear();

        DurableDirectory.Create(_disk, Path.Combine(mount.Path, "a"));

        Assert.That(_disk.Flushed.Keys, Does.Contain(mount.Path));
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
            if (!path.StartsWith(Path.GetTempPath(), StringComparison.Ordinal)) return 0; // the machine's own
            Flushed.Add(path, [.. Directory.EnumerateFileSystemEntries(path).Select(entry => Path.GetFileName(entry)!).Order(StringComparer.Ordinal)]);
            return Answer;
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => RandomAccess.Read(file, buffer, offset);
    }
}
