using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>A disk and what is behind it: what is brought where, and what an outage costs.</summary>
public sealed class TieredBlobStoreTests
{
    private const int MebiByte = 1 << 20;

    private ManualTime _time = null!;
    private TwoTiers _tiers = null!;

    [SetUp]
    public async Task OpenTiers()
    {
        _time = new ManualTime();
        _tiers = new TwoTiers(limitBytes: 8 * MebiByte, _time);
        await _tiers.OpenAsync();
    }

    [TearDown]
    public async Task CloseTiers() => await _tiers.DisposeAsync();

    [Test]
    public async Task What_is_stored_here_is_brought_behind([Values(10, 3 * MebiByte)] int sizeBytes)
    {
        byte[] data = Blobs.Of(1, sizeBytes);
        var digest = await _tiers.Store.PutAsync(data);
        await BroughtAsync();

        Assert.That(await _tiers.Memory.GetAsync(digest), Is.EqualTo(data));
        Assert.That(_tiers.Behind.Brought, Is.EqualTo(1));
    }

    [Test]
    public async Task An_output_that_becomes_a_blob_is_brought_behind_too([Values] bool isGivenAway)
    {
        byte[] data = Blobs.Of(1, 100_000);
        using var scratch = new Scratch();
        await File.WriteAllBytesAsync(scratch.Sub("out"), data);
        using var file = File.OpenHandle(scratch.Sub("out"));
        var digest = isGivenAway
            ? await _tiers.Store.TakeFileAsync(RemoteExec.Core.DigestFunction.Sha256, file, default)
            : await _tiers.Store.ImportFileAsync(RemoteExec.Core.DigestFunction.Sha256, file, default);
        await BroughtAsync();

        Assert.That(await _tiers.Memory.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task A_batch_is_stored_here_and_brought_behind()
    {
        byte[] known = Blobs.Of(1, 100), fresh = Blobs.Of(2, 100), bad = Blobs.Of(3, 100);
        await _tiers.Store.PutAsync(known);
        await BroughtAsync();
        var badDigest = Blobs.DigestOf(bad);
        bad[0] ^= 1;

        var statuses = await _tiers.Store.WriteManyAsync([(Blobs.DigestOf(known), known), (badDigest, bad), (Blobs.DigestOf(fresh), fresh)], default);
        await BroughtAsync();

        Assert.That(statuses.Select(status => status.StatusCode), Is.EqualTo(new[] { StatusCode.OK, StatusCode.InvalidArgument, StatusCode.OK }));
        Assert.That(await _tiers.Memory.GetAsync(Blobs.DigestOf(fresh)), Is.EqualTo(fresh));
        Assert.That(_tiers.Behind.Brought, Is.EqualTo(2), "each once, and the bad one never");
        Assert.That(_tiers.Behind.Waiting, Is.Zero);
    }

    [Test]
    public async Task What_a_batch_had_stored_when_it_was_given_up_is_brought_behind_too()
    {
        using var leaving = new CancellationTokenSource();
        await using var tiers = new TwoTiers(limitBytes: 8 * MebiByte, _time) { DiskObserver = new GivesUpWhenStored(leaving) };
        await tiers.OpenAsync();
        var batch = Enumerable.Range(0, 20).Select(i => Blobs.Of(i, 250_000)).Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data)).ToList(); // more than is written at once
        var digests = batch.ConvertAll(blob => blob.Item1);

        Assert.That(async () => await tiers.Store.WriteManyAsync(batch, leaving.Token), Throws.InstanceOf<OperationCanceledException>());
        var missing = await tiers.Disk.FindMissingAsync(digests, default);
        Assert.That(missing, Has.Count.InRange(1, digests.Count - 1));
        await tiers.BroughtAsync().WaitAsync(TimeSpan.FromSeconds(60));

        Assert.That(await tiers.Memory.FindMissingAsync(digests, default), Is.EqualTo(missing));
        Assert.That((tiers.Behind.Brought, tiers.Behind.Dropped), Is.EqualTo((digests.Count - missing.Count, 0)));
    }

    [Test]
    public async Task A_batch_is_read_in_the_order_asked_wherever_its_blobs_are()
    {
        byte[] here = Blobs.Of(1, 100), behind = Blobs.Of(2, 100);
        await _tiers.Memory.PutAsync(behind);
        await _tiers.Store.PutAsync(here);
        var absent = Blobs.DigestOf(Blobs.Of(3, 100));
        var told = new List<(int, byte[]?)>();

        await _tiers.Store.ReadManyAsync([Blobs.DigestOf(behind), absent, Blobs.DigestOf(here)], new Told(told), default);

        Assert.That(told, Is.EqualTo(new[] { (0, (byte[]?)behind), (1, null), (2, here) }));
        Assert.That(await _tiers.Disk.HasAsync(Blobs.DigestOf(behind)), Is.True);
    }

    [Test]
    public async Task A_hit_is_told_of_what_is_only_behind_as_present()
    {
        var digest = await _tiers.Memory.PutAsync(Blobs.Of(1, 100));
        var absent = Blobs.DigestOf(Blobs.Of(2, 100));

        Assert.That(await _tiers.Store.FindMissingAsync([digest, absent], PromiseKind.Hit, default), Is.EqualTo(new[] { absent }));
    }

    [Test]
    public async Task What_is_only_behind_is_present_and_is_here_again_when_it_is_read()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _tiers.Memory.PutAsync(data);
        Assert.That(await _tiers.Store.FindMissingAsync([digest], default), Is.Empty);
        Assert.That(await _tiers.Disk.HasAsync(digest), Is.False);

        await using (var reader = (await _tiers.Store.OpenReadAsync(digest, 1000, default))!)
        {
            byte[] rest = new byte[data.Length - 1000];
            await reader.ReadExactlyAsync(rest);
            Assert.That(rest.AsSpan().SequenceEqual(data.AsSpan(1000)), Is.True);
        }

        Assert.That(await _tiers.Disk.HasAsync(digest), Is.True);
        Assert.That((_tiers.Store.FetchedBlobs, _tiers.Behind.Waiting), Is.EqualTo((1, 0)), "what came from there is not brought there");
    }

    [Test]
    public async Task An_input_that_is_only_behind_becomes_a_link()
    {
        byte[] data = Blobs.Of(1, 1000);
        var far = await _tiers.Memory.PutAsync(data);
        var nowhere = Blobs.DigestOf(Blobs.Of(2, 1000));
        using var scratch = new Scratch();
        BlobLink[] links = [new(far, false, scratch.Sub("a")), new(far, true, scratch.Sub("b")), new(nowhere, false, scratch.Sub("c"))];

        Assert.That(await _tiers.Store.LinkManyAsync(links, default), Is.EqualTo(new[] { nowhere }));
        Assert.That(await File.ReadAllBytesAsync(scratch.Sub("a")), Is.EqualTo(data));
        Assert.That(await File.ReadAllBytesAsync(scratch.Sub("b")), Is.EqualTo(data));
    }

    [Test]
    public async Task Many_who_want_the_same_blob_fetch_it_once()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _tiers.Memory.PutAsync(data);

        var read = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => _tiers.Store.GetAsync(digest)));

        Assert.That(read.All(each => each.AsSpan().SequenceEqual(data)));
        Assert.That(_tiers.Far.Opened, Is.EqualTo(1));
    }

    [Test]
    public async Task Who_gives_up_takes_nobody_along()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await _tiers.Memory.PutAsync(data);
        _tiers.Far.IsMute = true;
        using var leaving = new CancellationTokenSource();
        var left = _tiers.Store.OpenReadAsync(digest, 0, leaving.Token).AsTask();
        await leaving.CancelAsync();

        Assert.That(async () => await left, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task An_outage_fails_nothing_that_is_here_and_the_rest_is_missing()
    {
        var gone = await _tiers.Memory.PutAsync(Blobs.Of(1, 1000));
        _tiers.Far.IsAway = true;
        byte[] data = Blobs.Of(2, 1000);
        var digest = await _tiers.Store.PutAsync(data);

        Assert.That(await _tiers.Store.FindMissingAsync([digest, gone], default), Is.EqualTo(new[] { gone }));
        Assert.That(await _tiers.Store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(await _tiers.Store.OpenReadAsync(gone, 0, default), Is.Null);
        Assert.That(_tiers.Behind.Waiting, Is.EqualTo(1));
    }

    [Test]
    public async Task What_was_stored_during_an_outage_is_brought_when_it_is_over()
    {
        _tiers.Far.IsAway = true;
        var digests = new List<Digest>();
        for (int i = 0; i < 20; i++) digests.Add(await _tiers.Store.PutAsync(Blobs.Of(i, 1000)));
        await _time.WaitForTimerAsync(WriteBehind.AwayPause);

        _tiers.Far.IsAway = false;
        await PassAsync();

        Assert.That(await _tiers.Memory.FindMissingAsync(digests, default), Is.Empty);
    }

    [Test]
    public async Task What_cannot_be_read_is_missing_although_it_is_said_to_be_there()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _tiers.Memory.PutAsync(data);
        Assert.That(await _tiers.Store.HasAsync(digest), Is.True);
        _tiers.Far.ReadsUntilAway = 1;
        Assert.That(await _tiers.Store.OpenReadAsync(digest, 0, default), Is.Null);

        Assert.That(await _tiers.Store.HasAsync(digest), Is.False, "or its client would never bring it");
        await _tiers.Store.PutAsync(data);
        Assert.That(await _tiers.Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task What_is_behind_and_something_else_never_gets_here()
    {
        var digest = Blobs.DigestOf(Blobs.Of(1, 1000));
        _tiers.Far.Inner = new LyingBlobStore(Blobs.Of(2, 1000));

        Assert.That(await _tiers.Store.OpenReadAsync(digest, 0, default), Is.Null);
        Assert.That(await _tiers.Disk.HasAsync(digest), Is.False);
        Assert.That(_tiers.Store.Failures, Is.EqualTo(1));
    }

    [Test]
    public async Task A_disk_full_of_promises_still_gives_out_what_is_behind_and_checks_it()
    {
        for (int i = 0; i < 8; i++) await _tiers.Disk.PutAsync(Blobs.Of(i, MebiByte));
        byte[] data = Blobs.Of(100, 2 * MebiByte);
        var digest = await _tiers.Memory.PutAsync(data);

        Assert.That(await _tiers.Store.GetAsync(digest), Is.EqualTo(data));
        await using (var reader = (await _tiers.Store.OpenReadAsync(digest, MebiByte, default))!)
        {
            byte[] rest = new byte[MebiByte];
            await reader.ReadExactlyAsync(rest);
            Assert.That(rest.AsSpan().SequenceEqual(data.AsSpan(MebiByte)), Is.True);
        }

        _tiers.Far.Inner = new LyingBlobStore(Blobs.Of(101, 2 * MebiByte));
        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await _tiers.Store.GetAsync(digest))!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_failed_upload_is_brought_nowhere()
    {
        var digest = Blobs.DigestOf(Blobs.Of(1, 1000));
        Assert.That(
            Assert.ThrowsAsync<RpcException>(async () => await _tiers.Store.WriteAllAsync(digest, new byte[1000], default))!.StatusCode,
            Is.EqualTo(StatusCode.InvalidArgument));

        Assert.That(_tiers.Behind.Waiting, Is.Zero);
    }

    private async Task PassAsync()
    {
        // Some may have begun to wait only now.
        while (_tiers.Behind.Waiting > 0)
        {
            _time.Advance(WriteBehind.AwayPause);
            await Task.Yield();
        }
    }

    private Task BroughtAsync() => _tiers.BroughtAsync().WaitAsync(TimeSpan.FromSeconds(60));

    private sealed class GivesUpWhenStored(CancellationTokenSource leaving) : IBlobStoreObserver
    {
        public void Stored(long sizeBytes) => leaving.Cancel();
    }

    /// <summary>Has everything, and gives out the same bytes for all of it.</summary>
    private sealed class LyingBlobStore(byte[] data) : IBlobStore
    {
        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            ValueTask.FromResult<IReadOnlyList<Digest>>([]);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
            ValueTask.FromResult<IBlobReader?>(new MemoryBlobReader(data.AsMemory((int)offset)));

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            ValueTask.FromResult<IBlobWriter>(new PresentBlobWriter(digest));
    }

    private sealed class Told(List<(int Index, byte[]? Data)> told) : IBlobReceiver
    {
        public void Found(int index, ReadOnlySpan<byte> data) => told.Add((index, data.ToArray()));

        public void Missing(int index) => told.Add((index, null));

        public void Failed(int index, Exception failure) => throw failure;
    }
}
