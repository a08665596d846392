using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets.Tests;

/// <summary>What archives have in the corners of their formats: long names, links, files that are none, and large zips.</summary>
public sealed class FetchArchiveFormatTests : AssetFixture
{
    private static readonly string LongPath = $"{new string('d', 150)}/{new string('f', 150)}";

    [TestCase(TarEntryFormat.Pax)]
    [TestCase(TarEntryFormat.Gnu)]
    public async Task A_name_of_more_than_a_hundred_letters_is_whole(TarEntryFormat format)
    {
        Origin.Serve("/a", Tar(
            Entry(format, TarEntryType.RegularFile, LongPath, "x"), Link(format, TarEntryType.SymbolicLink, "link", LongPath), Link(format, TarEntryType.HardLink, "twin", LongPath)));

        Assert.That(await ListAsync(await FetchDirectoryAsync(Origin.UriOf("/a"))), Is.EqualTo(new[] { $"{LongPath} 1", $"link -> {LongPath}", "twin 1" }));
    }

    [Test]
    public async Task A_hard_link_to_a_link_or_a_directory_is_refused()
    {
        Origin.Serve("/link", Tar(Link(TarEntryFormat.Pax, TarEntryType.SymbolicLink, "a", "b"), Link(TarEntryFormat.Pax, TarEntryType.HardLink, "c", "a")));
        Origin.Serve("/directory", Tar(new PaxTarEntry(TarEntryType.Directory, "a"), Link(TarEntryFormat.Pax, TarEntryType.HardLink, "c", "a")));

        foreach (string path in new[] { "/link", "/directory" })
            AssertFailed(await FetchDirectoryAsync(Origin.UriOf(path)), StatusCode.InvalidArgument, "leads to no file");
    }

    [TestCase(TarEntryType.BlockDevice)]
    [TestCase(TarEntryType.CharacterDevice)]
    [TestCase(TarEntryType.Fifo)]
    public async Task What_is_neither_file_nor_link_nor_directory_is_refused(TarEntryType type)
    {
        Origin.Serve("/a", Tar(Entry(TarEntryFormat.Pax, TarEntryType.RegularFile, "good", "x"), new PaxTarEntry(type, "a")));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument, $"{type}");
    }

    [Test]
    public async Task A_sparse_file_is_refused_in_either_form()
    {
        Origin.Serve("/pax", Tar(new PaxTarEntry(TarEntryType.RegularFile, "GNUSparseFile.0/a", new Dictionary<string, string> { ["GNU.sparse.major"] = "1", ["GNU.sparse.name"] = "a" })));
        byte[] gnu = Tar(Entry(TarEntryFormat.Gnu, TarEntryType.RegularFile, "a", "x"));
        gnu[156] = (byte)'S';
        Sum(gnu);
        Origin.Serve("/gnu", gnu);

        foreach (string path in new[] { "/pax", "/gnu" })
            AssertFailed(await FetchDirectoryAsync(Origin.UriOf(path)), StatusCode.InvalidArgument);
    }

    [Test] // found by mutation: the reader of tar has an exception of its own for it
    public async Task An_extended_header_of_more_bytes_than_there_can_be_is_refused()
    {
        byte[] tar = Tar(new PaxTarEntry(TarEntryType.RegularFile, "a", new Dictionary<string, string> { ["comment"] = "x" }));
        Encoding.ASCII.GetBytes("77777777777").CopyTo(tar, 124); // size (12) of the first header, which is the extended one
        Sum(tar);
        Origin.Serve("/a", tar);

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument);
    }

    [Test]
    public async Task A_zip64_is_unpacked()
    {
        byte[] zip = Zip("a", "b/c");
        Origin.Serve("/a", As64(zip, ListAt(zip), masksPlace: true));

        Assert.That(await ListAsync(await FetchDirectoryAsync(Origin.UriOf("/a"))), Is.EqualTo(new[] { "a 1", "b/c 1" }));
    }

    /// <summary>The library reads the list from where the zip64 says, as soon as one of three fields says that there is one.</summary>
    [TestCase(true)]
    [TestCase(false)]
    public async Task The_list_of_a_zip64_is_measured_before_it_is_read(bool masksPlace)
    {
        await ReopenAsync(Options with { UnpackedEntriesMax = 4 }); // a list of 2 KiB
        byte[] zip = Zip([.. Enumerable.Range(0, 100).Select(i => $"entry-{i}")]);
        Origin.Serve("/a", As64(zip, ListAt(zip), masksPlace));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.ResourceExhausted, "4 entries");
    }

    [TestCase(-1)]
    [TestCase(long.MaxValue)]
    public async Task A_zip64_whose_list_is_nowhere_is_refused(long listAt)
    {
        Origin.Serve("/a", As64(Zip("a"), listAt, masksPlace: true));

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument);
    }

    [Test]
    public async Task A_zip_that_is_said_to_be_a_zip64_and_is_none_is_refused()
    {
        byte[] zip = Zip("a");
        BinaryPrimitives.WriteUInt32LittleEndian(zip.AsSpan(zip.Length - 6), uint.MaxValue);
        Origin.Serve("/a", zip);

        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/a")), StatusCode.InvalidArgument, "zip64");
    }

    /// <summary>Makes the checksum of the first header right again.</summary>
    private static void Sum(byte[] tar)
    {
        Encoding.ASCII.GetBytes("        ").CopyTo(tar, 148);
        Encoding.ASCII.GetBytes(Convert.ToString(tar[..512].Sum(value => value), 8).PadLeft(6, '0') + "\0 ").CopyTo(tar, 148);
    }

    private static TarEntry Entry(TarEntryFormat format, TarEntryType type, string name, string content)
    {
        TarEntry entry = format == TarEntryFormat.Pax ? new PaxTarEntry(type, name) : new GnuTarEntry(type, name);
        entry.DataStream = new MemoryStream(Encoding.UTF8.GetBytes(content));
        return entry;
    }

    private static TarEntry Link(TarEntryFormat format, TarEntryType type, string name, string target)
    {
        TarEntry entry = format == TarEntryFormat.Pax ? new PaxTarEntry(type, name) : new GnuTarEntry(type, name);
        entry.LinkName = target;
        return entry;
    }

    private static byte[] Tar(params TarEntry[] entries)
    {
        using var bytes = new MemoryStream();
        using (var writer = new TarWriter(bytes, leaveOpen: true))
        {
            foreach (var entry in entries) writer.WriteEntry(entry);
        }

        return bytes.ToArray();
    }

    private static byte[] Zip(params string[] names)
    {
        using var bytes = new MemoryStream();
        using (var zip = new ZipArchive(bytes, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (string name in names)
            {
                using var stream = zip.CreateEntry(name).Open();
                stream.WriteByte((byte)'x');
            }
        }

        return bytes.ToArray();
    }

    // end (22): signature 4, disks 2 2, entries 2 2, list: length 4, place 4, comment 2
    private static long ListAt(byte[] zip) => BinaryPrimitives.ReadUInt32LittleEndian(zip.AsSpan(zip.Length - 6));

    /// <summary>The same with the end of a zip64: record, locator, and an end that points to them.</summary>
    private static byte[] As64(byte[] zip, long listAt, bool masksPlace)
    {
        byte[] body = zip[..^22], end = zip[^22..];
        ushort entries = BinaryPrimitives.ReadUInt16LittleEndian(end.AsSpan(10));

        // 4.3.14: signature 4, size 8, versions 2 2, disks 4 4, entries 8 8, list: length 8, place 8
        byte[] record = new byte[56];
        BinaryPrimitives.WriteUInt32LittleEndian(record, 0x06064b50);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(4), 44);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(24), entries);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(32), entries);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(40), BinaryPrimitives.ReadUInt32LittleEndian(end.AsSpan(12)));
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(48), listAt);

        // 4.3.15: signature 4, disk 4, place of the record 8, disks 4
        byte[] locator = new byte[20];
        BinaryPrimitives.WriteUInt32LittleEndian(locator, 0x07064b50);
        BinaryPrimitives.WriteInt64LittleEndian(locator.AsSpan(8), body.Length);
        BinaryPrimitives.WriteInt32LittleEndian(locator.AsSpan(16), 1);

        // Without the masked place an innocent one stands there: right before the record.
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(8), ushort.MaxValue);
        BinaryPrimitives.WriteUInt16LittleEndian(end.AsSpan(10), ushort.MaxValue);
        BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(16), masksPlace ? uint.MaxValue : (uint)body.Length);
        return [.. body, .. record, .. locator, .. end];
    }

    private async Task<List<string>> ListAsync(AssetAnswer answer)
    {
        Assert.That(answer.Failure?.Status.Detail, Is.Null);
        var lines = new List<string>();
        await foreach (var directory in Store.Walk(new TreeLimits(), DirectoryUse.Input).ExpandAsync(answer.Digest, default))
        {
            lines.AddRange(directory.Message!.Files.Select(file => $"{directory.Join(file.Name)} {file.Digest.SizeBytes}"));
            lines.AddRange(directory.Message.Symlinks.Select(link => $"{directory.Join(link.Name)} -> {link.Target}"));
        }

        lines.Sort(StringComparer.Ordinal);
        return lines;
    }
}
