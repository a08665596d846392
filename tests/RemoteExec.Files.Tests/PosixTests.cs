using System.Text;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;

namespace RemoteExec.Files.Tests;

[TestFixture]
internal sealed class PosixTests
{
    private TemporaryFolder _folder = null!;
    private SafeFileHandle _directory = null!;

    [SetUp]
    public void Open()
    {
        _folder = new TemporaryFolder();
        Assert.That(Posix.OpenDirectory(_folder.Path, out _directory), Is.Zero);
    }

    [TearDown]
    public void Close()
    {
        _directory.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void A_status_says_what_a_file_is()
    {
        string path = _folder.Write("file", "hello", executable: true);
        File.SetLastWriteTimeUtc(path, DateTime.UnixEpoch.AddSeconds(1000).AddMicroseconds(7));
        Assert.That(Posix.Link(_directory, "file", _directory, "again"), Is.Zero);
        Assert.That(Posix.Stat(_directory, "file", out var status), Is.Zero);

        Assert.That((status.Kind, status.SizeBytes, status.Links, status.IsExecutable), Is.EqualTo((FileKind.Regular, 5L, 2u, true)));
        Assert.That(status.Modified, Is.EqualTo((1000L, 7000u)));
        Assert.That(status.User, Is.EqualTo(Posix.EffectiveUser));
        Assert.That(status.Inode, Is.Not.Zero);
        Assert.That(FileStatus.Of(_directory).Device, Is.EqualTo(status.Device));
        Assert.That(FileStatus.Of(_directory).Kind, Is.EqualTo(FileKind.Directory));
    }

    [Test]
    public void A_status_is_that_of_a_link_and_not_of_what_it_leads_to()
    {
        Assert.That(Posix.MakeSymlink("nowhere", _folder.Combine("link")), Is.Zero);

        Assert.That(Posix.Stat(_directory, "link", out var status), Is.Zero);
        Assert.That(status.Kind, Is.EqualTo(FileKind.Symlink));
        Assert.That(Posix.Stat(_folder.Combine("link"), out status), Is.Zero);
        Assert.That(status.Kind, Is.EqualTo(FileKind.Symlink));
        Assert.That(Posix.ReadSymlink(_directory, "link", out var target), Is.Zero);
        Assert.That(target.ToString(), Is.EqualTo("nowhere"));
        Assert.That(Posix.ReadSymlink(_directory, "none", out _), Is.EqualTo(Errno.ENOENT));
    }

    [Test]
    public void A_rename_without_replacing_leaves_what_is_there()
    {
        _folder.Write("a", "a");
        _folder.Write("b", "b");

        Assert.That(Posix.RenameWithoutReplace(_directory, "a", _directory, "b"), Is.EqualTo(Errno.EEXIST));
        Assert.That(Posix.RenameWithoutReplace(_directory, "a", _directory, "c"), Is.Zero);
        Assert.That(Posix.Rename(_directory, "c", _directory, "b"), Is.Zero);
        Assert.That(_folder.Entries(), Is.EqualTo(new[] { "b" }));
        Assert.That(File.ReadAllText(_folder.Combine("b")), Is.EqualTo("a"));
    }

    [Test]
    public void What_is_opened_beneath_is_not_beyond_a_link_and_not_above()
    {
        const Resolve beneath = Resolve.Beneath | Resolve.NoSymlinks | Resolve.NoMagicLinks;
        _folder.Write("in/file", "x");
        Assert.That(Posix.MakeSymlink("in", _folder.Combine("link")), Is.Zero);

        Assert.That(Errors("in/file", "in", "link/file", "link", "../", "none"),
            Is.EqualTo(new[] { 0, 0, Errno.ELOOP, Errno.ELOOP, Errno.EXDEV, Errno.ENOENT }));

        IEnumerable<int> Errors(params string[] paths) => paths.Select(path =>
        {
            int errno = Posix.OpenResolved(_directory, path, OpenFlags.Read, beneath, out var file);
            file.Dispose();
            return errno;
        });
    }

    [Test]
    public void A_name_that_is_no_text_can_be_made_listed_and_removed()
    {
        var name = FileName.From([0xff, (byte)'\n']);
        Assert.That(Posix.MakeDirectory(_directory, name, Permissions.Octal0700), Is.Zero);

        byte[] records = new byte[1024];
        Assert.That(Posix.ReadDirectory(_directory, records, out int bytes), Is.Zero);
        Assert.That(records.AsSpan(0, bytes).IndexOf(name.Bytes), Is.Positive);
        Assert.That(Posix.ReadDirectory(_directory, records, out bytes), Is.Zero);
        Assert.That(bytes, Is.Zero, "the end");
        Assert.That(Posix.Rewind(_directory), Is.Zero);
        Assert.That(Posix.ReadDirectory(_directory, records, out bytes), Is.Zero);
        Assert.That(bytes, Is.Positive);

        Assert.That(name.TryDecode(out _), Is.False);
        Assert.That(Posix.Unlink(_directory, name), Is.EqualTo(Errno.EISDIR));
        Assert.That(Posix.RemoveDirectory(_directory, name), Is.Zero);
        Assert.That(_folder.Entries(), Is.Empty);
    }

    [Test]
    public void An_open_file_can_be_given_another_name()
    {
        using var file = File.OpenHandle(_folder.Write("file", "hello"));

        Assert.That(Posix.LinkDescriptor(file, _directory, "again"), Is.Zero);
        Assert.That(File.ReadAllText(_folder.Combine("again")), Is.EqualTo("hello"));
        Assert.That(Posix.LinkDescriptor(file, _directory, "again"), Is.EqualTo(Errno.EEXIST));
    }

    [Test]
    public void Bytes_are_copied_without_passing_through()
    {
        using var from = File.OpenHandle(_folder.Write("from", "hello world"));
        using var to = File.OpenHandle(_folder.Combine("to"), FileMode.CreateNew, FileAccess.ReadWrite);
        long read = 6, written = 0;

        Assert.That(Posix.CopyRange(from, ref read, to, ref written, 100, out long copied), Is.Zero);

        Assert.That((read, written, copied), Is.EqualTo((11L, 5L, 5L)));
        byte[] buffer = new byte[5];
        Assert.That(RandomAccess.Read(to, buffer, 0), Is.EqualTo(5));
        Assert.That(Encoding.ASCII.GetString(buffer), Is.EqualTo("world"));
        Assert.That(Posix.IsOpenForWriting(to), Is.True);
        Assert.That(Posix.IsOpenForWriting(from), Is.False);
    }

    [Test]
    public void What_is_not_regular_is_told_without_opening_it()
    {
        Mount.Run("mkfifo", _folder.Combine("fifo"));

        Assert.That(FileStatus.IsRegular(_folder.Combine("fifo")), Is.False);
        Assert.That(FileStatus.IsRegular(_folder.Write("file", "")), Is.True);
        var failure = Assert.Throws<FileSystemException>(() => FileStatus.IsRegular(_folder.Combine("none")));
        Assert.That(failure!.Message, Does.Contain("none").And.Contains("No such file"));
        Assert.That((failure.Errno, failure.HResult), Is.EqualTo((Errno.ENOENT, Errno.ENOENT)));
    }

    [Test]
    public void A_full_disk_is_told_from_other_failures_whoever_met_it()
    {
        using var mount = Mount.Tmpfs(_folder.Combine("full"), "size=64k");
        using var file = File.OpenHandle(Path.Combine(mount.Path, "file"), FileMode.Create, FileAccess.Write);

        var full = Assert.Throws<IOException>(() => RandomAccess.Write(file, new byte[128 << 10], 0));
        Assert.That(Errno.IsOutOfRoom(full!), Is.True);
        Assert.That(Errno.IsOutOfRoom(Posix.Preallocate(file, 1 << 20)), Is.True);
        Assert.That(Errno.IsOutOfRoom(new FileSystemException("x", Errno.EDQUOT)), Is.True);
        Assert.That(Errno.IsOutOfRoom(new FileSystemException("x", Errno.EIO)), Is.False);
        Assert.That(Errno.IsOutOfRoom(new InvalidOperationException { HResult = Errno.ENOSPC }), Is.False);
    }
}
