using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker.Tests;

public sealed partial class DirectoryStockTests
{
    private static readonly FileName Name = FileName.From("directory");

    private TemporaryFolder _folder = null!;
    private DirectoryHandle _tree = null!;
    private DirectoryStock _stock = null!;

    /// <summary>What an action may do to a directory of its own without it showing as content.</summary>
    public static IEnumerable<TestCaseData> Alterations()
    {
        yield return Alteration("its rights", path => ChangeMode(path, Permissions.Octal0700));
        yield return Alteration("its set-group-id bit", path => ChangeMode(path, SetGroupId | Permissions.Octal0755));
        yield return Alteration("an attribute", path => Attribute(path, "user.note", "hello"u8));
        yield return Alteration("a default access list", path => Attribute(path, "system.posix_acl_default", DefaultAccessList));
        yield return Alteration("its flags", path => SetFlags(path, flags => flags | NoDump));
        yield return Alteration("its size on disk", Grow);
        yield return Alteration("its content", path => File.WriteAllText(Path.Combine(path, "left"), ""));

        static TestCaseData Alteration(string what, Action<string> alter) => new TestCaseData(alter).SetArgDisplayNames(what);
    }

    [SetUp]
    public void Open()
    {
        _folder = new TemporaryFolder();
        _tree = DirectoryHandle.Open(_folder.Sub("tree"));
        _stock = DirectoryStock.Open(_folder.Sub("shelf"), Posix.EffectiveUser);
    }

    [TearDown]
    public void Close()
    {
        _stock.Close();
        _tree.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void A_directory_that_is_as_good_as_new_is_used_again()
    {
        ulong inode = Make();
        Assert.That(GiveBack(), Is.True);
        Assert.That(_tree.TryStat(Name), Is.Null, "it is still in the tree");

        Assert.That(Make(), Is.EqualTo(inode));
        Assert.That(_stock.Kept, Is.Zero);
    }

    [TestCaseSource(nameof(Alterations))]
    public void A_directory_is_not_used_again_when_an_action_altered(Action<string> alter)
    {
        Make();
        alter(Path.Combine(_folder.Path, "tree", "directory"));

        Assert.That(GiveBack(), Is.False);
        Assert.That(_tree.TryStat(Name), Is.Not.Null, "it was taken out of the tree");
        Assert.That(_stock.Kept, Is.Zero);
    }

    [Test]
    public void The_times_that_an_action_set_are_not_met_by_the_next_one()
    {
        Make();
        var future = new DateTime(2099, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        Directory.SetLastWriteTimeUtc(Path.Combine(_folder.Path, "tree", "directory"), future);

        Assert.That(GiveBack(), Is.True);
        Make();
        Assert.That(Directory.GetLastWriteTimeUtc(Path.Combine(_folder.Path, "tree", "directory")), Is.LessThan(future));
    }

    [Test]
    public void What_is_there_already_is_not_replaced_and_costs_no_directory()
    {
        Make();
        GiveBack();
        File.WriteAllText(Path.Combine(_folder.Path, "tree", "directory"), "mine");

        Assert.That(_stock.TryMake(_tree, Name), Is.False);
        Assert.That(File.ReadAllText(Path.Combine(_folder.Path, "tree", "directory")), Is.EqualTo("mine"));
        Assert.That(_stock.Kept, Is.EqualTo(1));
    }

    [Test]
    public void A_shelf_that_somebody_cleared_only_costs_its_directories()
    {
        Make();
        GiveBack();
        foreach (string kept in Directory.EnumerateDirectories(_stock.Path!)) Directory.Delete(kept);

        Assert.That(_stock.TryMake(_tree, Name), Is.True);
        Assert.That(_tree.TryStat(Name), Is.Not.Null);
    }

    [Test]
    public void A_directory_that_cannot_be_moved_to_its_place_stays_and_a_new_one_is_made()
    {
        const string elsewhere = "/dev/shm"; // another file system: the rename fails for a reason that mkdir(2) has not
        if (!Directory.Exists(elsewhere)) Assert.Ignore($"there is no {elsewhere}");
        Make();
        GiveBack();
        string path = Path.Combine(elsewhere, $"rexec-stock-{Guid.NewGuid():n}");
        Directory.CreateDirectory(path);
        try
        {
            using var tree = DirectoryHandle.Open(path);
            if (tree.Stat().Device == _tree.Stat().Device) Assert.Ignore($"{elsewhere} is no other file system");

            Assert.That(_stock.TryMake(tree, Name), Is.True);
            Assert.That(tree.TryStat(Name), Is.Not.Null);
            Assert.That(_stock.Kept, Is.EqualTo(1));
        }
        finally
        {
            Directory.Delete(path, recursive: true);
        }
    }

    [Test]
    public void A_directory_of_another_file_system_is_not_as_good_as_new()
    {
        using var proc = DirectoryHandle.Open("/proc");
        using var tree = DirectoryHandle.Open(_folder.Path);
        var (ours, theirs) = (DirectoryTraits.TryRead(tree), DirectoryTraits.TryRead(proc));
        Assert.That(ours!.Device, Is.Not.EqualTo(theirs!.Device));
        Assert.That(ours with { Device = theirs.Device }, Is.Not.EqualTo(ours));
    }

    [TestCase(SandboxWalls.All, true)]
    [TestCase(SandboxWalls.All & ~SandboxWalls.Processes, false)]
    [TestCase(SandboxWalls.All & ~SandboxWalls.Network, false)]
    [TestCase(SandboxWalls.All & ~SandboxWalls.Root, false)]
    public void Directories_come_back_only_where_nothing_of_an_action_can_hold_them(SandboxWalls standing, bool comesBack) =>
        Assert.That(standing.HasFlag(DirectoryStock.WallsNeeded), Is.EqualTo(comesBack));

    [Test]
    public void A_stock_that_keeps_nothing_makes_every_directory_new()
    {
        var without = DirectoryStock.Without(Posix.EffectiveUser);
        Assert.That(without.TryMake(_tree, Name), Is.True);
        using var directory = _tree.TryOpenDirectory(Name)!;
        Assert.That(without.TryTakeBack(_tree, Name, directory), Is.False);
        Assert.That(without.TakesBack, Is.False);
    }

    [Test]
    public void A_tree_that_is_removed_leaves_its_directories_to_the_stock()
    {
        foreach (string path in (string[])["directory", "directory/a", "directory/a/b", "directory/c"])
            Assert.That(_stock.TryMake(_tree, FileName.From(path)), Is.True);
        string top = Path.Combine(_folder.Path, "tree");
        File.WriteAllText(Path.Combine(top, "directory/a/b/file"), "");
        ChangeMode(Path.Combine(top, "directory/c"), Permissions.Octal0111);

        TreeRemover.Empty(top, _stock, CancellationToken.None);

        Assert.That(Directory.EnumerateFileSystemEntries(top), Is.Empty);
        Assert.That(_stock.Kept, Is.EqualTo(3), "all but the one whose rights were changed");
        Assert.That(Directory.EnumerateFileSystemEntries(_stock.Path!, "*", SearchOption.AllDirectories).Count(), Is.EqualTo(3), "and none of them has anything in it");
    }

    private ulong Make()
    {
        Assert.That(_stock.TryMake(_tree, Name), Is.True);
        return _tree.TryStat(Name)!.Value.Inode;
    }

    private bool GiveBack()
    {
        using var directory = _tree.TryOpenDirectory(Name)!;
        return _stock.TryTakeBack(_tree, Name, directory);
    }

    private const long NoDump = 0x40; // FS_NODUMP_FL
    private const uint SetGroupId = 2 << 9; // inode(7)

    // acl(5) as setxattr(2) takes it: version 2, then tag, permissions, id: owner rwx, group rwx, other rwx.
    private static readonly byte[] DefaultAccessList =
        [2, 0, 0, 0, 0x01, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 0x04, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 0x20, 0, 7, 0, 0xff, 0xff, 0xff, 0xff];

    private static void ChangeMode(string path, uint mode) =>
        Assert.That(Posix.ChangeMode(path, mode), Is.Zero);

    private static void Attribute(string path, string name, ReadOnlySpan<byte> value)
    {
        if (SetAttribute(path, name, value, (nuint)value.Length, 0) != 0)
            Assert.Ignore($"this file system has no {name}: {Marshal.GetLastPInvokeErrorMessage()}");
    }

    private static void SetFlags(string path, Func<long, long> change)
    {
        const nuint setFlags = 0x40086602; // ioctl_iflags(2)
        using var directory = DirectoryHandle.Open(path);
        if (Posix.GetFlags(directory.Descriptor, out long flags) != 0) Assert.Ignore("this file system has no inode flags");
        flags = change(flags);
        if (SetFlags(directory.Descriptor, setFlags, in flags) != 0) Assert.Ignore("this file system does not take the flag");
    }

    private static void Grow(string path)
    {
        using var directory = DirectoryHandle.Open(path);
        long before = directory.Stat().SizeBytes;
        for (int i = 0; i < 200; i++)
            File.WriteAllText(Path.Combine(path, i.ToString("d100", CultureInfo.InvariantCulture)), "");
        foreach (string file in Directory.EnumerateFiles(path)) File.Delete(file);
        if (directory.Stat().SizeBytes == before) Assert.Ignore("directories shrink on this file system");
    }

    [LibraryImport("libc", EntryPoint = "setxattr", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetAttribute(string path, string name, ReadOnlySpan<byte> value, nuint valueBytes, int flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    private static partial int SetFlags(SafeFileHandle descriptor, nuint request, in long flags);
}
