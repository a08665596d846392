using RemoteExec.Core;
namespace RemoteExec.Server.Tests;

public sealed class DataDirectoryTests
{
    [TestCase(100, 0, 50)]
    [TestCase(40, 0, 20)]
    [TestCase(20, 20, 20, Description = "after a restart with a full store, the limit is what it was")]
    [TestCase(1, 0, 1, Description = "not less than a build needs")]
    [TestCase(1000, 1000, 50, Description = "not more than a guest may take unasked")]
    public void The_default_limit_is_half_of_what_is_free_and_of_what_the_store_holds(long freeGigabytes, long heldGigabytes, long limitGigabytes)
    {
        const long Gigabyte = 1_000_000_000;

        Assert.That(DataDirectory.LimitOf(freeGigabytes * Gigabyte, heldGigabytes * Gigabyte), Is.EqualTo(limitGigabytes * Gigabyte));
    }

    [TestCase("letter.txt")]
    [TestCase("photos/cas.jpg")]
    public void A_directory_with_files_of_somebody_else_is_refused_and_left_alone(string foreign)
    {
        using var folder = new TemporaryFolder();
        folder.Write(foreign, "precious");

        Assert.That(() => DataDirectory.Create(folder.Path),
            Throws.TypeOf<ServerRefusedException>().With.Message.Contains(foreign.Split('/')[0]).And.Message.Contains("--data-dir DIR"));
        Assert.That(File.ReadAllText(folder.Combine(foreign)), Is.EqualTo("precious"));
    }

    [TestCase("cas/x", "notes.txt")]
    [TestCase("ac/x")]
    [TestCase("lost+found/x")]
    [TestCase(".bash_history")]
    [TestCase("server.log", "server.pid", "remoteexec.json", Description = "what an operator puts beside it")]
    [TestCase]
    public void A_directory_that_was_ours_or_is_as_good_as_empty_is_taken(params string[] files)
    {
        using var folder = new TemporaryFolder();
        foreach (string file in files) folder.Write(file, "");

        Assert.That(() => DataDirectory.Create(folder.Path), Throws.Nothing);
    }

    [Test]
    public void A_directory_that_cannot_be_made_is_named_with_the_remedy()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder.Combine("file"), "");

        Assert.That(() => DataDirectory.Create(folder.Combine("file/below")),
            Throws.TypeOf<ServerRefusedException>().With.Message.Contains(folder.Combine("file/below")).And.Message.Contains("--data-dir"));
    }

    [TestCase("60%", 600)]
    [TestCase("100%", 1000)]
    [TestCase("70", 70)]
    public void A_limit_may_be_a_share_of_the_disk(string wanted, long bytes)
    {
        Assert.That(SizeOrShare.TryParse(wanted, out var size));
        Assert.That(DataDirectory.LimitOf(size, diskBytes: 1000, "/data"), Is.EqualTo(bytes));
    }

    [Test]
    public void A_limit_beyond_the_whole_disk_is_refused_with_both_sizes()
    {
        Assert.That(SizeOrShare.TryParse("100PB", out var size));

        var refusal = Assert.Throws<ServerRefusedException>(() => DataDirectory.LimitOf(size, diskBytes: 75_000_000_000, "/data"));

        Assert.That(refusal!.Message, Does.Contain("100PB").And.Contain("75GB").And.Contain("/data").And.Contain("60%"));
    }
}
