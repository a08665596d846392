using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Files where the blobs are elsewhere.</summary>
public sealed class FileCopyingBlobStoreTests
{
    private readonly MemoryBlobStore _far = new(8 << 20, TimeSpan.FromHours(4), new ManualTime());

    [Test]
    public async Task A_file_becomes_a_blob_there_and_a_blob_a_file_here([Values(0, 10, 3_000_000)] int sizeBytes)
    {
        using var scratch = new Scratch();
        var store = new FileCopyingBlobStore(_far);
        byte[] data = Blobs.Of(1, sizeBytes);
        await File.WriteAllBytesAsync(scratch.Sub("in"), data);
        using var file = File.OpenHandle(scratch.Sub("in"));

        var digest = await store.TakeFileAsync(DigestFunction.Sha256, file, default);
        Assert.That(digest, Is.EqualTo(Blobs.DigestOf(data)));
        Assert.That(await _far.GetAsync(digest), Is.EqualTo(data));

        var absent = Blobs.DigestOf(Blobs.Of(2, 5));
        BlobLink[] links = [new(digest, false, scratch.Sub("a")), new(absent, false, scratch.Sub("b")), new(digest, true, scratch.Sub("c")), new(absent, true, scratch.Sub("d"))];
        Assert.That(await store.LinkManyAsync(links, default), Is.EqualTo(new[] { absent }));
        Assert.That(await File.ReadAllBytesAsync(scratch.Sub("a")), Is.EqualTo(data));
        Assert.That(File.GetUnixFileMode(scratch.Sub("a")).HasFlag(UnixFileMode.UserExecute), Is.False);
        Assert.That(File.GetUnixFileMode(scratch.Sub("c")).HasFlag(UnixFileMode.UserExecute), Is.True);
    }
}
