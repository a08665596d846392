using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Blobs that leave as links and arrive as files.</summary>
[TestFixture(true)]
[TestFixture(false)]
public sealed class LocalFilesTests(bool isPacked) : DiskFixture
{
    private DiskBlobStore _store = null!;

    private protected override bool IsPacked => isPacked;

    [SetUp]
    public async Task OpenStore() => _store = await OpenAsync();

    [TearDown]
    public async Task CloseStore() => await _store.DisposeAsync();

    [TestCase(true, "555")]
    [TestCase(false, "444")]
    public async Task A_linked_file_has_the_bytes_and_the_mode(bool executable, string mode)
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await _store.PutAsync(data);

        for (int i = 0; i < 3; i++)
        {
            Assert.That(await _store.TryLinkAsync(digest, executable, Scratch.Sub($"f{i}"), default), Is.True);
            Assert.That(File.ReadAllBytes(Scratch.Sub($"f{i}")), Is.EqualTo(data));
            Assert.That((int)ModeOf(Scratch.Sub($"f{i}")), Is.EqualTo(Convert.ToInt32(mode, 8)));
        }

        Assert.That(Links(Scratch.Sub("f0")), Is.EqualTo(4), "linked, not copied");
        Assert.That(_store.Usage.UsedBytes, Is.EqualTo(executable && !isPacked ? 1000 : 2000));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_missing_blob_is_not_linked()
    {
        Assert.That(await _store.TryLinkAsync(Blobs.DigestOf(Blobs.Of(1, 10)), true, Scratch.Sub("f"), default), Is.False);
        Assert.That(File.Exists(Scratch.Sub("f")), Is.False);
    }

    [Test]
    public async Task The_empty_file_is_never_shared()
    {
        var empty = Digest.Empty(DigestFunction.Sha256);
        Assert.That(await _store.TryLinkAsync(empty, false, Scratch.Sub("a"), default), Is.True);
        Assert.That(await _store.TryLinkAsync(empty, true, Scratch.Sub("b"), default), Is.True);

        Assert.That(Links(Scratch.Sub("a")), Is.EqualTo(1));
        Assert.That(new FileInfo(Scratch.Sub("b")).Length, Is.Zero);
        Assert.That((int)ModeOf(Scratch.Sub("b")), Is.EqualTo(Convert.ToInt32("555", 8)));
    }

    [Test]
    public async Task A_whole_input_root_is_linked_and_what_is_missing_is_named_once()
    {
        var links = new List<BlobLink>();
        var absent = Blobs.DigestOf(Blobs.Of(99, 10));
        for (int i = 0; i < 500; i++)
        {
            var digest = await _store.PutAsync(Blobs.Of(i % 100, 100 + i % 100));
            Directory.CreateDirectory(Scratch.Sub($"root/{i % 7}"));
            links.Add(new BlobLink(digest, i % 2 == 0, Scratch.Sub($"root/{i % 7}/{i}")));
        }

        links.Add(new BlobLink(absent, true, Scratch.Sub("root/x")));
        links.Add(new BlobLink(absent, true, Scratch.Sub("root/y")));

        Assert.That(await _store.LinkManyAsync(links, default), Is.EqualTo(new[] { absent }));
        for (int i = 0; i < 500; i++) Assert.That(File.ReadAllBytes(links[i].Path), Is.EqualTo(Blobs.Of(i % 100, 100 + i % 100)));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_copy_can_be_altered_by_its_owner_and_the_stored_blob_cannot()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        await _store.LinkManyAsync([new BlobLink(digest, Executable: true, Scratch.Sub("f")) { IsCopy = true }], default);

        Assert.That(Links(Scratch.Sub("f")), Is.EqualTo(1));
        File.SetUnixFileMode(Scratch.Sub("f"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllText(Scratch.Sub("f"), "altered");
        Assert.That((await _store.ReadAllAsync(digest, 1000, default))?.ToArray(), Is.EqualTo(Blobs.Of(1, 1000)));
    }

    [Test]
    public async Task A_file_without_the_executable_bit_that_somebody_took_away_is_made_anew()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await _store.PutAsync(data);
        await _store.TryLinkAsync(digest, executable: true, Scratch.Sub("e"), default); // so that it has both
        await _store.TryLinkAsync(digest, executable: false, Scratch.Sub("f"), default);
        File.Delete(FileOf(digest) + ".data");

        foreach (string name in (string[])["g", "h"])
        {
            Assert.That(await _store.TryLinkAsync(digest, executable: false, Scratch.Sub(name), default), Is.True);
            Assert.That(File.ReadAllBytes(Scratch.Sub(name)), Is.EqualTo(data));
        }

        Assert.That(await _store.HasAsync(digest), Is.True);
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_reader_of_a_file_that_was_cut_short_takes_nothing_away_that_was_stored_anew()
    {
        byte[] data = Blobs.Of(1, LoggedBytesMax + 1);
        var digest = await _store.PutAsync(data);
        await using var reader = await _store.OpenReadAsync(digest, 0, default);
        File.SetUnixFileMode(FileOf(digest), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(FileOf(digest), []);
        _store.PutAside(digest);
        await _store.PutAsync(data);

        Assert.That(async () => await reader!.ReadAsync(new byte[1000], default), Throws.InstanceOf<RpcException>());

        Assert.That(await _store.HasAsync(digest), Is.True);
        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task What_is_put_aside_is_a_miss_in_both_modes_until_it_is_stored_again()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        await _store.TryLinkAsync(digest, executable: true, Scratch.Sub("f"), default);
        await _store.TryLinkAsync(digest, executable: false, Scratch.Sub("g"), default);
        foreach (string name in (string[])["f", "g"])
        {
            File.SetUnixFileMode(Scratch.Sub(name), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            File.WriteAllBytes(Scratch.Sub(name), Blobs.Of(2, 1000));
        }

        _store.PutAside(digest);

        Assert.That(await _store.FindMissingAsync([digest], default), Is.EqualTo(new[] { digest }));
        await AssertConsistentAsync(_store);
        await _store.PutAsync(Blobs.Of(1, 1000));
        await _store.LinkManyAsync([new BlobLink(digest, true, Scratch.Sub("h")), new BlobLink(digest, false, Scratch.Sub("i"))], default);
        Assert.That(File.ReadAllBytes(Scratch.Sub("h")), Is.EqualTo(Blobs.Of(1, 1000)));
        Assert.That(File.ReadAllBytes(Scratch.Sub("i")), Is.EqualTo(Blobs.Of(1, 1000)));
    }

    [Test]
    public async Task Linking_promises_the_blob()
    {
        await _store.DisposeAsync();
        _store = await OpenAsync(limitBytes: 1000);
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        Time.Advance(Retention);
        await _store.TryLinkAsync(digest, true, Scratch.Sub("f"), default);

        Assert.ThrowsAsync<RpcException>(async () => await _store.PutAsync(Blobs.Of(2, 1000)));
    }

    [Test]
    public async Task Without_room_for_a_variant_the_file_is_copied()
    {
        await _store.DisposeAsync();
        _store = await OpenAsync(limitBytes: 1000);
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));

        Assert.That(await _store.TryLinkAsync(digest, executable: false, Scratch.Sub("f"), default), Is.True);

        Assert.That(File.ReadAllBytes(Scratch.Sub("f")), Is.EqualTo(Blobs.Of(1, 1000)));
        Assert.That((int)ModeOf(Scratch.Sub("f")), Is.EqualTo(Convert.ToInt32("444", 8)));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task An_evicted_blob_takes_its_variant_along_and_linked_files_stay_whole()
    {
        await _store.DisposeAsync();
        _store = await OpenAsync(limitBytes: 2000);
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        await _store.TryLinkAsync(digest, executable: false, Scratch.Sub("f"), default);
        Time.Advance(Retention);

        await _store.PutAsync(Blobs.Of(2, 2000));

        Assert.That(File.ReadAllBytes(Scratch.Sub("f")), Is.EqualTo(Blobs.Of(1, 1000)));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task An_imported_file_is_copied_and_stays_its_owners()
    {
        byte[] data = Blobs.Of(1, 700_000);
        string path = Write("out", data);

        var digest = await WithFileAsync(path, file => _store.ImportFileAsync(DigestFunction.Sha256, file, default));
        File.WriteAllText(path, "changed afterwards");

        Assert.That(digest, Is.EqualTo(Blobs.DigestOf(data)));
        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(_store);
    }

    [TestCase(1)]
    [TestCase(2_000_000)]
    public async Task A_taken_file_becomes_the_blob_without_a_copy(int sizeBytes)
    {
        byte[] data = Blobs.Of(1, sizeBytes);
        string path = Write("out", data);

        var digest = await WithFileAsync(path, file => _store.TakeFileAsync(DigestFunction.Sha256, file, default));

        Assert.That(Links(path), Is.EqualTo(2), "the file and the blob are one inode");
        File.Delete(path);
        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
        Assert.That((int)ModeOf(FileOf(digest)), Is.EqualTo(Convert.ToInt32("555", 8)));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_file_with_another_link_is_copied()
    {
        byte[] data = Blobs.Of(1, 1000);
        string path = Write("out", data);
        Link(path, Scratch.Sub("other"));

        var digest = await WithFileAsync(path, file => _store.TakeFileAsync(DigestFunction.Sha256, file, default));
        File.WriteAllText(Scratch.Sub("other"), "written through the other name");

        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task A_file_that_somebody_still_writes_to_is_copied()
    {
        byte[] data = Blobs.Of(1, 1000);
        string path = Write("out", data);
        using var writer = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);

        var digest = await WithFileAsync(path, file => _store.TakeFileAsync(DigestFunction.Sha256, file, default));
        writer.Write(new byte[1000]);
        writer.Flush();

        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task Taking_what_is_there_already_stores_nothing_twice()
    {
        byte[] data = Blobs.Of(1, 1000);
        await _store.PutAsync(data);

        await WithFileAsync(Write("out", data), file => _store.TakeFileAsync(DigestFunction.Sha256, file, default));

        Assert.That(_store.Usage.UsedBytes, Is.EqualTo(1000));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task Many_outputs_of_the_same_content_taken_at_once_are_one_blob()
    {
        byte[] data = Blobs.Of(1, 1000);
        var taken = await Task.WhenAll(Enumerable.Range(0, 50).Select(i =>
            WithFileAsync(Write($"out{i}", data), file => _store.TakeFileAsync(DigestFunction.Sha256, file, default))));

        Assert.That(taken, Is.All.EqualTo(Blobs.DigestOf(data)));
        Assert.That(_store.Usage.UsedBytes, Is.EqualTo(1000));
        await AssertConsistentAsync(_store);
    }

    [Test]
    public async Task An_empty_file_is_the_empty_blob_and_only_regular_files_are_blobs()
    {
        var digest = await WithFileAsync(Write("empty", []), file => _store.TakeFileAsync(DigestFunction.Sha256, file, default));
        Assert.That(digest.IsEmpty, Is.True);
        Assert.That(_store.Usage.Blobs, Is.Zero);

        Assert.That(Posix.OpenDirectory(Scratch.Path, out var directory), Is.Zero);
        using (directory)
        {
            var refused = Assert.ThrowsAsync<RpcException>(async () => await _store.TakeFileAsync(DigestFunction.Sha256, directory, default));
            Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        }
    }

    private static uint Links(string path)
    {
        using var file = File.OpenHandle(path);
        Assert.That(Posix.Stat(file, out var facts), Is.Zero);
        return facts.Links;
    }

    private static async Task<T> WithFileAsync<T>(string path, Func<SafeFileHandle, ValueTask<T>> use)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return await use(file);
    }

    private string Write(string name, byte[] data)
    {
        File.WriteAllBytes(Scratch.Sub(name), data);
        return Scratch.Sub(name);
    }

    private void Link(string from, string to)
    {
        Assert.That(Posix.OpenDirectory(Scratch.Path, out var directory), Is.Zero);
        using (directory) Assert.That(Posix.Link(directory, Path.GetFileName(from), directory, Path.GetFileName(to)), Is.Zero);
    }
}
