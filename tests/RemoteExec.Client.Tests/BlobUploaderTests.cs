using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Client.Tests;

public sealed class BlobUploaderTests
{
    private readonly MemoryBlobStore _store = Stores.Memory();
    private readonly TemporaryFolder _folder = new();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public async Task Only_what_is_missing_is_sent()
    {
        await _store.PutAsync("there already");

        var sent = await UploadAsync(Bytes("there already"), Bytes("new"), Bytes("new"));

        Assert.That(sent, Is.EqualTo(new UploadSummary(1, 3)));
        Assert.That(await _store.FindMissingAsync([Bytes("new").Digest], default), Is.Empty);
    }

    [TestCase(10)]
    [TestCase(100_000, Description = "streams")]
    public async Task A_file_is_sent_as_it_is(int sizeBytes)
    {
        string content = new('x', sizeBytes);
        var file = await LocalBlob.OfFileAsync(DigestFunction.Sha256, _folder.Write("file", content), default);

        await UploadAsync(file);

        var stored = await _store.ReadAllAsync(file.Digest, sizeBytes, default);
        Assert.That(stored?.Length, Is.EqualTo(sizeBytes));
    }

    [TestCase(10)]
    [TestCase(100_000, Description = "streams")]
    public async Task A_file_that_changed_after_it_was_hashed_is_refused(int sizeBytes)
    {
        string path = _folder.Write("file", new string('x', sizeBytes));
        var file = await LocalBlob.OfFileAsync(DigestFunction.Sha256, path, default);
        await File.WriteAllTextAsync(path, new string('y', sizeBytes));

        Assert.That(async () => await UploadAsync(file),
            Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.InvalidArgument));
        Assert.That(await _store.FindMissingAsync([file.Digest], default), Has.Count.EqualTo(1));
    }

    [Test]
    public async Task More_small_blobs_than_fit_into_memory_at_once_go_in_rounds()
    {
        // 300 × 60 kB is two rounds of 8 MiB and some.
        var blobs = Enumerable.Range(0, 300).Select(i => Bytes($"{i}:" + new string('x', 60_000))).ToArray();

        var sent = await UploadAsync(blobs);

        Assert.That(sent.Blobs, Is.EqualTo(300));
        Assert.That(await _store.FindMissingAsync([.. blobs.Select(blob => blob.Digest)], default), Is.Empty);
    }

    private static LocalBlob Bytes(string text) => LocalBlob.OfBytes(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text));

    private Task<UploadSummary> UploadAsync(params LocalBlob[] blobs) => new BlobUploader(_store).UploadAsync(blobs, default);
}
