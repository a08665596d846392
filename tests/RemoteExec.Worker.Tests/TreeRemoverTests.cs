using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

public sealed class TreeRemoverTests
{
    [Test]
    public void Ten_thousand_levels_are_removed_with_bounded_stack_and_descriptors()
    {
        using var folder = new TemporaryFolder();
        var name = FileName.From("deep");
        // Path strings end at 4096 bytes; descriptors do not, and an action knows that.
        var current = DirectoryHandle.Open(folder.Path);
        for (int i = 0; i < 10_000; i++)
        {
            current.TryMakeDirectory(name, Posix.EffectiveUser);
            var next = current.TryOpenDirectory(name)!;
            current.Dispose();
            current = next;
        }
        current.Dispose();

        TreeRemover.Remove(folder.Path, name, CancellationToken.None);

        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
    }

    /// <summary>To move a directory elsewhere, anyone but root needs the right to write to the directory itself.</summary>
    [Test]
    public void A_directory_without_rights_is_removed_on_whatever_level_it_is()
    {
        using var folder = new TemporaryFolder();
        string path = folder.Path;
        for (int i = 0; i < 70; i++) path = Path.Combine(path, "d");
        Directory.CreateDirectory(path);
        for (; path != folder.Path; path = Path.GetDirectoryName(path)!)
            _ = Posix.ChangeMode(path, 0);

        TreeRemover.Remove(folder.Path, FileName.From("d"), CancellationToken.None);

        Assert.That(Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
    }

    [Test]
    public void Links_are_removed_and_never_followed()
    {
        using var folder = new TemporaryFolder();
        string outside = folder.Sub("outside");
        File.WriteAllText(Path.Combine(outside, "keep"), "kept");
        string tree = folder.Sub("tree");
        Directory.CreateSymbolicLink(Path.Combine(tree, "link"), outside);
        File.CreateSymbolicLink(Path.Combine(tree, "dangling"), "nowhere");

        TreeRemover.Remove(folder.Path, FileName.From("tree"), CancellationToken.None);

        Assert.That(Path.Exists(tree), Is.False);
        Assert.That(File.ReadAllText(Path.Combine(outside, "keep")), Is.EqualTo("kept"));
    }

    [Test]
    public void Names_that_are_no_text_and_directories_without_rights_are_removed()
    {
        using var folder = new TemporaryFolder();
        string tree = folder.Sub("tree");
        string locked = folder.Sub("tree/locked");
        using (var handle = DirectoryHandle.Open(tree))
        {
            handle.TryMakeDirectory(FileName.From([0xff, 0xfe, 0x0a]), Posix.EffectiveUser);
            handle.TryMakeDirectory(FileName.From("new\nline"), Posix.EffectiveUser);
        }
        File.WriteAllText(Path.Combine(locked, "file"), "");
        _ = Posix.ChangeMode(locked, 0);

        TreeRemover.Remove(folder.Path, FileName.From("tree"), CancellationToken.None);

        Assert.That(Path.Exists(tree), Is.False);
    }

    [Test]
    public void Removing_what_is_not_there_is_no_error()
    {
        using var folder = new TemporaryFolder();
        Assert.That(() => TreeRemover.Remove(folder.Path, FileName.From("nothing"), CancellationToken.None), Throws.Nothing);
    }
}
