using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What becomes of blobs in two stores when one of them fails, and when it is back.</summary>
public sealed class MirroredBlobStoreTests
{
    private const int MebiByte = 1 << 20;

    private ManualTime _time = null!;
    private TwoNodes _nodes = null!;

    [SetUp]
    public void CreateNodes()
    {
        _time = new ManualTime();
        _nodes = new TwoNodes(limitBytes: 64 * MebiByte, _time);
    }

    [TearDown]
    public async Task StopRepairs() => await _nodes.DisposeAsync();

    [Test]
    public async Task A_write_is_in_both_when_it_is_acknowledged([Values(100, 3 * MebiByte)] int sizeBytes)
    {
        var digest = await _nodes.Store.PutAsync(Blobs.Of(1, sizeBytes));

        Assert.That((await _nodes.One.HasAsync(digest), await _nodes.Other.HasAsync(digest)), Is.EqualTo((true, true)));
        Assert.That(_nodes.Repairs.Waiting, Is.Zero);
    }

    [Test]
    public async Task A_batch_is_one_for_each_and_what_only_one_took_is_copied_to_the_other()
    {
        var batch = Enumerable.Range(0, 30).Select(i => Blobs.Of(i, 100)).Select(data => (Digest: Blobs.DigestOf(data), Data: (ReadOnlyMemory<byte>)data)).ToList();
        _nodes.One.Refuses = digest => digest == batch[3].Digest || digest == batch[5].Digest ? StatusCode.ResourceExhausted : null;
        _nodes.Other.Refuses = digest => digest == batch[4].Digest || digest == batch[5].Digest ? StatusCode.Unavailable : null;
        batch.Add((batch[0].Digest, new byte[100]));
        batch.Add((Digest.Empty(RemoteExec.Core.DigestFunction.Sha256), default));

        var statuses = await _nodes.Store.WriteManyAsync(batch, default);

        Assert.That(statuses[5].StatusCode, Is.EqualTo(StatusCode.ResourceExhausted), "neither took it");
        Assert.That(statuses.Where((_, i) => i is not (5 or 30)).Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.OK));
        Assert.That((_nodes.One.Batches.Single(), _nodes.Other.Batches.Single()), Is.EqualTo((32, 32)));
        await MendedAsync(2);
        Assert.That((await _nodes.One.HasAsync(batch[3].Digest), await _nodes.Other.HasAsync(batch[4].Digest)), Is.EqualTo((true, true)));
        Assert.That(await _nodes.Store.FindMissingAsync([.. batch.Select(blob => blob.Digest)], default), Is.EqualTo([batch[5].Digest]));
    }

    [Test]
    public async Task A_batch_that_one_cannot_take_at_all_is_stored_and_copied_when_it_is_back()
    {
        _nodes.One.IsAway = true;
        byte[] data = Blobs.Of(1, 100);

        var statuses = await _nodes.Store.WriteManyAsync([(Blobs.DigestOf(data), data)], default);

        Assert.That(statuses.Single().StatusCode, Is.EqualTo(StatusCode.OK));
        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(1));
        _nodes.Other.IsAway = true;
        statuses = await _nodes.Store.WriteManyAsync([(Blobs.DigestOf(Blobs.Of(2, 100)), Blobs.Of(2, 100))], default);
        Assert.That(statuses.Single().StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task While_one_is_away_the_other_does_all_of_it([Values] bool isFirst)
    {
        var before = await PutManyAsync(10, seed: 0);
        var away = isFirst ? _nodes.One : _nodes.Other;
        away.IsAway = true;

        var meanwhile = await PutManyAsync(10, seed: 100);

        Assert.That(await _nodes.Store.FindMissingAsync([.. before.Keys, .. meanwhile.Keys], default), Is.Empty);
        foreach (var (digest, data) in before.Concat(meanwhile)) Assert.That(await _nodes.Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task What_only_one_took_is_copied_to_the_other_when_that_is_back()
    {
        _nodes.Other.IsAway = true;
        var meanwhile = await PutManyAsync(10, seed: 0);
        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(10));
        // All of those who copy: one that found the store away and does not wait yet would wait for a time that has passed.
        await _time.WaitForTimersAsync(BlobRepairs.AtOnce, BlobRepairs.AwayPause);

        _nodes.Other.IsAway = false;
        _time.Advance(BlobRepairs.AwayPause);
        await MendedAsync(10);

        Assert.That(await _nodes.Other.Inner.FindMissingAsync([.. meanwhile.Keys], default), Is.Empty);
    }

    [Test]
    public async Task A_store_that_breaks_in_the_middle_of_an_upload_takes_nothing_from_it()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = Blobs.DigestOf(data);
        await using (var writer = await _nodes.Store.CreateWriterAsync(digest, default))
        {
            await writer.AppendAsync(data.AsMemory(0, MebiByte), default);
            _nodes.One.IsAway = true;
            await writer.AppendAsync(data.AsMemory(MebiByte), default);
            await writer.CommitAsync(default);
            Assert.That(writer.AlreadyPresent, Is.True);
        }

        Assert.That(await _nodes.Store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(1));
    }

    [Test]
    public async Task What_both_have_lost_in_the_middle_is_not_acknowledged_however_often_it_is_committed()
    {
        byte[] data = Blobs.Of(1, MebiByte);
        await using var writer = await _nodes.Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await writer.AppendAsync(data, default);
        (_nodes.One.IsAway, _nodes.Other.IsAway) = (true, true);

        for (int i = 0; i < 2; i++) Assert.That(async () => await writer.CommitAsync(default), Throws.InstanceOf<RpcException>());

        Assert.That(writer.AlreadyPresent, Is.False);
    }

    [Test]
    public async Task What_one_has_already_and_the_other_did_not_take_is_copied()
    {
        byte[] data = Blobs.Of(1, MebiByte);
        var digest = await _nodes.One.Inner.PutAsync(data);
        await using var writer = await _nodes.Store.CreateWriterAsync(digest, default);
        _nodes.Other.IsAway = true;

        await writer.AppendAsync(data, default);

        Assert.That(writer.AlreadyPresent, Is.True);
        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(1));
    }

    [Test]
    public async Task Copies_from_a_store_that_is_lost_keep_no_others_waiting()
    {
        var target = new FaultyBlobStore(new MemoryBlobStore(64 * MebiByte, TimeSpan.FromHours(4), _time));
        var to = new BlobNode("target", target);
        _nodes.One.IsAway = true;
        for (int seed = 0; seed < 20; seed++) _nodes.Repairs.Ask(Blobs.DigestOf(Blobs.Of(seed, 100)), new BlobNode("one", _nodes.One), to);
        var digest = await _nodes.Other.Inner.PutAsync(Blobs.Of(100, 100));

        _nodes.Repairs.Ask(digest, new BlobNode("other", _nodes.Other), to);
        while (_nodes.Repairs.Done == 0 || _nodes.Repairs.Waiting > 20) await Task.Yield();

        Assert.That(await target.Inner.HasAsync(digest));
        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(20));
    }

    [Test]
    public async Task A_read_that_breaks_goes_on_at_the_other()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _nodes.Store.PutAsync(data);
        await using var reader = (await _nodes.Store.OpenReadAsync(digest, 1000, default))!;
        byte[] read = new byte[data.Length - 1000];
        await reader.ReadExactlyAsync(read.AsMemory(0, MebiByte));

        // Whichever it reads from.
        (_nodes.One.Opened == 1 ? _nodes.One : _nodes.Other).IsAway = true;
        await reader.ReadExactlyAsync(read.AsMemory(MebiByte));

        Assert.That(read.AsSpan().SequenceEqual(data.AsSpan(1000)), Is.True);
    }

    [Test]
    public async Task A_store_that_was_lost_and_is_back_empty_is_filled_by_questions([Values] bool isFirst)
    {
        var blobs = await PutManyAsync(50, seed: 0);
        var lost = isFirst ? _nodes.One : _nodes.Other;
        _nodes.Lose(lost);

        Assert.That(await _nodes.Store.FindMissingAsync([.. blobs.Keys], default), Is.Empty);
        await MendedAsync(50);

        Assert.That(await lost.FindMissingAsync([.. blobs.Keys], default), Is.Empty);
    }

    [Test]
    public async Task A_store_that_was_lost_and_is_back_empty_is_filled_by_reads()
    {
        var blobs = await PutManyAsync(50, seed: 0);
        _nodes.Lose(_nodes.One);

        foreach (var (digest, data) in blobs) Assert.That(await _nodes.Store.GetAsync(digest), Is.EqualTo(data));
        // Those that are read there first.
        int asked = _nodes.One.Opened;
        await MendedAsync(asked);

        Assert.That(asked, Is.InRange(1, 50));
        Assert.That(((MemoryBlobStore)_nodes.One.Inner).Usage.Blobs, Is.EqualTo(asked));
    }

    [Test]
    public async Task What_neither_has_is_missing_and_so_is_what_the_one_that_answers_has_not()
    {
        var lost = Blobs.DigestOf(Blobs.Of(7, 100));
        var kept = await _nodes.Store.PutAsync(Blobs.Of(8, 100));

        Assert.That(await _nodes.Store.FindMissingAsync([lost, kept, lost], default), Is.EqualTo(new[] { lost }));
        _nodes.One.IsAway = true;
        Assert.That(await _nodes.Store.FindMissingAsync([kept, lost], default), Is.EqualTo(new[] { lost }));
        Assert.That(await _nodes.Store.OpenReadAsync(lost, 0, default), Is.Null);
    }

    [Test]
    public async Task With_both_away_everything_is_unavailable()
    {
        var digest = await _nodes.Store.PutAsync(Blobs.Of(1, 100));
        (_nodes.One.IsAway, _nodes.Other.IsAway) = (true, true);

        Func<Task>[] all =
        [
            async () => await _nodes.Store.FindMissingAsync([digest], default),
            async () => await _nodes.Store.GetAsync(digest),
            async () => await _nodes.Store.PutAsync(Blobs.Of(2, 100)),
        ];
        foreach (var act in all)
            Assert.That(Assert.ThrowsAsync<RpcException>(() => act())!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_full_store_refuses_for_itself_only_and_both_for_the_client()
    {
        _nodes.One.RefusesWrites = StatusCode.ResourceExhausted;
        var digest = await _nodes.Store.PutAsync(Blobs.Of(1, 100));
        Assert.That(await _nodes.Other.HasAsync(digest), Is.True);

        _nodes.Other.RefusesWrites = StatusCode.ResourceExhausted;
        Assert.That(
            Assert.ThrowsAsync<RpcException>(async () => await _nodes.Store.PutAsync(Blobs.Of(2, 100)))!.StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
        // The copy of the first was refused too, and is left to the next question.
        while (_nodes.Repairs.Waiting > 0) await Task.Yield();
        Assert.That(_nodes.Repairs.Dropped, Is.EqualTo(1));
    }

    [Test]
    public async Task A_copy_that_is_asked_for_again_is_made_once()
    {
        var blobs = await PutManyAsync(3, seed: 0);
        _nodes.Lose(_nodes.One);
        _nodes.Other.IsMute = true; // copies wait here
        foreach (var digest in blobs.Keys.Concat(blobs.Keys)) _nodes.Repairs.Ask(digest, new BlobNode("other", _nodes.Other), new BlobNode("one", _nodes.One));

        Assert.That(_nodes.Repairs.Waiting, Is.EqualTo(3));
    }

    private async Task<Dictionary<Digest, byte[]>> PutManyAsync(int count, int seed)
    {
        var blobs = new Dictionary<Digest, byte[]>();
        for (int i = 0; i < count; i++)
        {
            byte[] data = Blobs.Of(seed + i, 1000 + (i * 100));
            blobs[await _nodes.Store.PutAsync(data)] = data;
        }

        return blobs;
    }

    private Task MendedAsync(long copies) => _nodes.MendedAsync(copies).WaitAsync(TimeSpan.FromSeconds(60));
}
