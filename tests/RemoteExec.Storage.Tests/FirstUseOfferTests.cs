using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Bytes that are offered of blobs that nobody has looked at since a loss of power.</summary>
public sealed class FirstUseOfferTests : FirstUseFixture
{
    private bool _isPacked;

    private protected override bool IsPacked => _isPacked;

    [SetUp]
    public void MakeFilesOfAll() => _isPacked = false;

    [TestCase("written")]
    [TestCase("written in a batch")]
    [TestCase("imported")]
    [TestCase("given away")]
    [TestCase("imported to a segment")]
    [TestCase("written to a segment")]
    [TestCase("written to a segment in a batch")]
    public async Task Good_bytes_that_are_offered_replace_a_file_of_zeros(string way)
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        var digest = await LoseAsync(data);
        _isPacked = way.Contains("to a segment", StringComparison.Ordinal);
        await using var store = await OpenAsync();

        await OfferAsync(store, data, way);

        Assert.That(await store.HasAsync(digest), Is.True);
        Assert.That(await store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(store.Index.UnsureCount, Is.Zero);
        await AssertConsistentAsync(store);
    }

    [TestCase("written")]
    [TestCase("written in a batch")]
    [TestCase("given away")]
    public async Task A_good_file_whose_bytes_are_offered_stays(string way)
    {
        byte[] data = Blobs.Of(1, BlobBytes);
        Digest digest;
        await using (var store = await OpenAsync()) digest = await store.PutAsync(data);
        LosePower();
        await using var again = await OpenAsync();

        await OfferAsync(again, data, way);

        Assert.That(again.Index.UnsureCount, Is.Zero);
        Assert.That(await again.GetAsync(digest), Is.EqualTo(data));
        Assert.That(Directory.GetFiles(Path.Combine(StoreDirectory, "quarantine")), Is.Empty);
        await AssertConsistentAsync(again);
    }

    private async Task OfferAsync(DiskBlobStore store, byte[] data, string way)
    {
        string path = Path.Combine(store.Files.Root, "output"); // on the same file system
        await File.WriteAllBytesAsync(path, data);
        using var file = File.OpenHandle(path);
        switch (way)
        {
            case "written" or "written to a segment": await store.PutAsync(data); break;
            case "imported" or "imported to a segment": await store.ImportFileAsync(DigestFunction.Sha256, file, default); break;
            case "given away": await store.TakeFileAsync(DigestFunction.Sha256, file, default); break;
            default:
                var statuses = await store.WriteManyAsync([(Blobs.DigestOf(data), data)], default);
                Assert.That(statuses.Single().StatusCode, Is.EqualTo(StatusCode.OK));
                break;
        }
    }
}
