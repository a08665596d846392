using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using ZstdNet;

namespace RemoteExec.Assets.Tests;

/// <summary>Archives as directories (REAPI S1, S2), and what is refused of them (TRUST 4.1, 4.6).</summary>
public sealed class FetchDirectoryTests : AssetFixture
{
    private static readonly byte[] Big = [.. Enumerable.Range(0, (1 << 20) + 5).Select(i => (byte)(i * 7))];

    private static readonly TarEntry[] Usual =
    [
        new PaxTarEntry(TarEntryType.Directory, "./src/"), File("src/main.c", "int main;"), File("src/run", "#!", executable: true), Link("src/link", "../top"),
        File("top", "top"), new PaxTarEntry(TarEntryType.HardLink, "twin") { LinkName = "src/run" }, new PaxTarEntry(TarEntryType.Directory, "empty"),
        new PaxTarEntry(TarEntryType.RegularFile, "big") { DataStream = new MemoryStream(Big) }, new PaxGlobalExtendedAttributesTarEntry(new Dictionary<string, string> { ["comment"] = "c" }),
    ];

    private static string[] UsualTree => ["big 1048581", "empty/", "src/", "src/link -> ../top", "src/main.c 9", "src/run* 2", "top 3", "twin* 2"];

    [TestCase("tar")]
    [TestCase("tar.gz")]
    [TestCase("tar.zst")]
    public async Task A_tar_becomes_a_tree_of_directories(string form)
    {
        Origin.Serve("/a", Pack(form, Tar(Usual)));

        var answer = await FetchDirectoryAsync(Origin.UriOf("/a"));

        Assert.That(answer.Failure?.Status.Detail, Is.Null);
        Assert.That(await ListAsync(answer.Digest), Is.EqualTo(UsualTree));
        Assert.That((await Store.FindMissingAsync([Digest.Of(DigestFunction.Sha256, Big)], default)), Is.Empty);
        AssertNothingSpooled();
    }

    [Test]
    public async Task A_zip_becomes_the_same_tree()
    {
        Origin.Serve("/a", Zip(("src/", "", 0x41ED), ("src/main.c", "int main;", 0x81A4), ("src/run", "#!", 0x81ED), ("src/link", "../top", 0xA1FF), ("top", "top", 0)));

        Assert.That(await ListAsync((await FetchDirectoryAsync(Origin.UriOf("/a"))).Digest), Is.EqualTo(new[] { "src/", "src/link -> ../top", "src/main.c 9", "src/run* 2", "top 3" }));
    }

    [Test]
    public async Task The_same_archive_has_the_same_digest_however_it_is_sorted_and_packed()
    {
        Origin.Serve("/a", Tar([File("b", "b"), File("ä", "2"), File("a", "a")]));
        Origin.Serve("/b", Pack("tar.gz", Tar([File("a", "a"), File("b", "b"), File("ä", "2")])));

        Assert.That((await FetchDirectoryAsync(Origin.UriOf("/a"))).Digest, Is.EqualTo((await FetchDirectoryAsync(Origin.UriOf("/b"))).Digest));
    }

    [Test]
    public async Task A_folder_of_an_archive_can_be_asked_for()
    {
        Origin.Serve("/a", Tar(Usual));

        Assert.That(await ListAsync((await FetchDirectoryAsync(Origin.UriOf("/a"), ("directory", "src"))).Digest), Is.EqualTo(new[] { "link -> ../top", "main.c 9", "run* 2" }));
        Assert.That((await FetchDirectoryAsync(Origin.UriOf("/a"), ("directory", "none"))).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await FetchDirectoryAsync(Origin.UriOf("/a"), ("directory", "../x"))).Failure?.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task A_directory_that_was_fetched_once_is_answered_until_a_file_of_it_is_gone()
    {
        Origin.Serve("/a", Tar([File("d/a", "content")]));
        var first = await FetchDirectoryAsync(Origin.UriOf("/a"));
        await FetchDirectoryAsync(Origin.UriOf("/a"));
        Assert.That(Origin.Requests, Has.Count.EqualTo(1));

        Store.PutAside(Digest.Of(DigestFunction.Sha256, "content"u8));
        var again = await FetchDirectoryAsync(Origin.UriOf("/a"));

        Assert.That(Origin.Requests, Has.Count.EqualTo(2));
        Assert.That(again.Digest, Is.EqualTo(first.Digest));
        Assert.That(await Store.FindMissingAsync([Digest.Of(DigestFunction.Sha256, "content"u8)], default), Is.Empty);
    }

    private static IEnumerable<TestCaseData> Hostile()
    {
        yield return Case("an absolute name", File("/etc/passwd", "x"));
        yield return Case("a name that climbs", File("a/../../b", "x"));
        yield return Case("a name of two dots", File("..", "x"));
        yield return Case("a long name", File(new string('x', 256), "x"));
        yield return Case("a path too deep", File(string.Join('/', Enumerable.Repeat("d", 300)), "x"));
        yield return Case("a link to an absolute path", Link("a", "/etc"));
        yield return Case("a link that climbs out", Link("d/a", "../../x"));
        yield return Case("a link that climbs behind a name", Link("l", "d"), Link("m", "l/../../x"));
        yield return Case("a link without a target's end", Link("a", new string('x', 5000)));
        yield return Case("a file through a link", Link("a", "b"), File("a/c", "x"));
        yield return Case("a directory where a file is", File("a", "x"), File("a/b", "x"));
        yield return Case("a file where a directory is", File("a/b", "x"), File("a", "x"));
        yield return Case("a hard link to nothing", new PaxTarEntry(TarEntryType.HardLink, "a") { LinkName = "b" });
        yield return Case("a hard link that climbs", new PaxTarEntry(TarEntryType.HardLink, "a") { LinkName = "../b" });
        yield return Case("a pipe", new PaxTarEntry(TarEntryType.Fifo, "a"));
        yield return Case("a device", new PaxTarEntry(TarEntryType.CharacterDevice, "a"));

        static TestCaseData Case(string name, params TarEntry[] entries) => new TestCaseData(Tar([File("good", ""), .. entries])).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Hostile))]
    public async Task A_tar_with_something_that_could_leave_it_is_refused_and_nothing_is_stored(byte[] tar)
    {
        Origin.Serve("/a", Pack("tar.gz", tar));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument);
    }

    [TestCase("../a", 0)]
    [TestCase("/a", 0)]
    [TestCase("a/../../b", 0)]
    [TestCase("link", 0xA1FF, "/etc/passwd")]
    [TestCase("link", 0xA1FF, "../x")]
    public async Task So_is_a_zip(string name, int mode, string content = "x")
    {
        Origin.Serve("/a", Zip((name, content, mode)));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument);
    }

    private static IEnumerable<TestCaseData> Broken()
    {
        byte[] tar = Tar(Usual), gzip = Pack("tar.gz", tar), zstd = Pack("tar.zst", tar), zip = Zip(("a", "content", 0));
        yield return Case("nothing", []);
        yield return Case("a page", "<html>not found</html>"u8.ToArray());
        yield return Case("xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, .. new byte[600]]);
        yield return Case("half a tar", tar[..(tar.Length / 2)]);
        yield return Case("half a gzip", gzip[..(gzip.Length / 2)]);
        yield return Case("half a zstd", zstd[..(zstd.Length / 2)]);
        yield return Case("half a zip", zip[..(zip.Length / 2)]);
        yield return Case("gzip of no tar", Pack("tar.gz", [.. Enumerable.Repeat((byte)'x', 2000)]));
        yield return Case("gzip of noise", [0x1f, 0x8b, .. Enumerable.Repeat((byte)0x55, 600)]);
        yield return Case("zstd of noise", [0x28, 0xb5, 0x2f, 0xfd, .. Enumerable.Repeat((byte)0x55, 600)]);
        yield return Case("zip of noise", [(byte)'P', (byte)'K', 3, 4, .. new byte[600]]);

        static TestCaseData Case(string name, byte[] content) => new TestCaseData(content).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Broken))]
    public async Task What_is_no_archive_is_refused(byte[] content)
    {
        Origin.Serve("/a", content);

        var answer = await FetchDirectoryAsync(Origin.UriOf("/a"));

        Assert.That(answer.Failure?.StatusCode, Is.EqualTo(StatusCode.InvalidArgument), answer.Failure?.Status.Detail);
        AssertNothingSpooled();
    }

    [TestCase("tar.gz")]
    [TestCase("tar.zst")]
    [TestCase("zip")]
    public async Task An_archive_that_unpacks_to_too_much_is_refused(string form)
    {
        await ReopenAsync(Options with { UnpackedBytesMax = 4 << 20 });
        byte[] zeros = new byte[8 << 20];
        Origin.Serve("/a", form == "zip" ? Zip(("a", new string('\0', 8 << 20), 0)) : Pack(form, Tar([new PaxTarEntry(TarEntryType.RegularFile, "a") { DataStream = new MemoryStream(zeros) }])));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted);
    }

    [TestCase("tar")]
    [TestCase("zip")]
    public async Task An_archive_with_too_many_entries_is_refused(string form)
    {
        await ReopenAsync(Options with { UnpackedEntriesMax = 100 });
        var names = Enumerable.Range(0, 51).Select(i => $"d{i}/f").ToList(); // with their directories 102
        Origin.Serve("/a", form == "zip" ? Zip([.. names.Select(name => (name, "", 0))]) : Tar([.. names.Select(name => File(name, ""))]));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted, "100 entries");
    }

    [Test]
    public async Task An_archive_whose_links_hold_too_much_text_is_refused()
    {
        await ReopenAsync(Options with { UnpackedTextMax = 100_000 });
        string target = new string('a', 4000);
        Origin.Serve("/a", Pack("tar.gz", Tar(Enumerable.Range(0, 30).Select(i => Link($"l{i}", target)))));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted, "100000 characters");
        AssertNothingSpooled();
    }

    [Test]
    public async Task A_directory_that_no_action_could_have_is_refused()
    {
        // 5,000 targets of 4,000 characters are one Directory of 20 MB.
        await ReopenAsync(Options with { UnpackedTextMax = 64 << 20 });
        string target = new string('a', 4000);
        Origin.Serve("/a", Pack("tar.gz", Tar(Enumerable.Range(0, 5000).Select(i => Link($"l{i}", target)))));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted, "directory of more than");
        AssertNothingSpooled();
    }

    [Test]
    public async Task A_header_that_claims_a_gigabyte_is_refused_before_its_bytes_are_waited_for()
    {
        // ustar: name (100) mode (8) uid (8) gid (8) size (12) mtime (12) checksum (8) type (1) … magic (6) at 257
        byte[] tar = new byte[4096];
        Encoding.ASCII.GetBytes("x").CopyTo(tar, 0);
        Encoding.ASCII.GetBytes("0000644\00000000\00000000\010000000000\000000000000\0        x").CopyTo(tar, 100);
        Encoding.ASCII.GetBytes("ustar\000").CopyTo(tar, 257);
        Encoding.ASCII.GetBytes(Convert.ToString(tar[..512].Sum(value => value), 8).PadLeft(6, '0') + "\0 ").CopyTo(tar, 148);
        Origin.Serve("/a", Pack("tar.gz", tar));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument);
    }

    private static PaxTarEntry File(string name, string content, bool executable = false) => new(TarEntryType.RegularFile, name)
    {
        DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content)),
        Mode = executable ? UnixFileMode.UserRead | UnixFileMode.UserExecute : UnixFileMode.UserRead,
    };

    private static PaxTarEntry Link(string name, string target) => new(TarEntryType.SymbolicLink, name) { LinkName = target };

    private static byte[] Tar(IEnumerable<TarEntry> entries)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (var entry in entries)
            {
                if (entry.DataStream is { } data) data.Position = 0; // entries are used by several tests
                writer.WriteEntry(entry);
            }
        }

        return bytes.ToArray();
    }

    private static byte[] Pack(string form, byte[] tar)
    {
        if (form == "tar") return tar;
        using var bytes = new MemoryStream();
        using (Stream packer = form == "tar.gz" ? new GZipStream(bytes, CompressionLevel.Fastest, leaveOpen: true) : new CompressionStream(bytes))
            packer.Write(tar);
        return bytes.ToArray();
    }

    private static byte[] Zip(params (string Name, string Content, int Mode)[] entries)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content, mode) in entries)
            {
                var entry = zip.CreateEntry(name);
                entry.ExternalAttributes = mode << 16;
                using var stream = entry.Open();
                stream.Write(Encoding.UTF8.GetBytes(content));
            }
        }

        return bytes.ToArray();
    }

    private async Task<List<string>> ListAsync(Digest root)
    {
        var lines = new List<string>();
        await foreach (var directory in Store.Walk(new TreeLimits(), DirectoryUse.Input).ExpandAsync(root, default))
        {
            if (directory.Path.Length > 0) lines.Add(directory.Path + "/");
            foreach (var file in directory.Message!.Files)
            {
                Assert.That(await Store.FindMissingAsync([WireDigests.FromWire(file.Digest, root.Function, file.Name)], default), Is.Empty);
                lines.Add($"{directory.Join(file.Name)}{(file.IsExecutable ? "*" : "")} {file.Digest.SizeBytes}");
            }

            foreach (var link in directory.Message.Symlinks) lines.Add($"{directory.Join(link.Name)} -> {link.Target}");
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }
}
