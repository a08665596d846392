using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What is still to be brought behind is known after a kill, within bounds, and costs nobody an upload.</summary>
public sealed class WriteBehindTests
{
    private ManualTime _time = null!;
    private TwoTiers _tiers = null!;

    [SetUp]
    public async Task OpenTiers()
    {
        _time = new ManualTime();
        _tiers = new TwoTiers(limitBytes: 64 << 20, _time) { WaitingMax = 100 };
        _tiers.Far.IsAway = true;
        await _tiers.OpenAsync();
    }

    [TearDown]
    public async Task CloseTiers() => await _tiers.DisposeAsync();

    [Test]
    public async Task A_killed_process_leaves_the_next_one_all_that_it_had_not_brought()
    {
        var digests = await PutManyAsync(50);
        await _tiers.KillAsync();
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        await BroughtAsync();

        Assert.That(await _tiers.Memory.FindMissingAsync(digests, default), Is.Empty);
        Assert.That(_tiers.Behind.Brought, Is.EqualTo(50));
    }

    [Test]
    public async Task What_was_brought_is_not_brought_again_by_the_next_process()
    {
        _tiers.Far.IsAway = false;
        await PutManyAsync(50);
        await BroughtAsync();
        await _tiers.KillAsync();

        await _tiers.OpenAsync();
        Assert.That(_tiers.Behind.Waiting, Is.Zero);
    }

    [Test]
    public async Task A_blob_that_was_announced_and_not_stored_before_the_kill_is_let_go()
    {
        var never = Blobs.DigestOf(Blobs.Of(1, 1000));
        _tiers.Behind.Announce(never);
        await _tiers.KillAsync();
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        await BroughtAsync();
        Assert.That((_tiers.Behind.Brought, _tiers.Behind.Dropped), Is.EqualTo((0, 1)));
    }

    [Test]
    public async Task One_of_two_who_store_a_blob_may_fail()
    {
        // Here, so that it waits for the store behind, which is away.
        var digest = await _tiers.Disk.PutAsync(Blobs.Of(1, 1000));
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Stored(digest);
        _tiers.Behind.Abandon(digest);
        Assert.That(_tiers.Behind.Waiting, Is.EqualTo(1));

        var other = await _tiers.Disk.PutAsync(Blobs.Of(2, 1000));
        _tiers.Behind.Announce(other);
        _tiers.Behind.Announce(other);
        _tiers.Behind.Abandon(other);
        _tiers.Behind.Stored(other);
        Assert.That(_tiers.Behind.Waiting, Is.EqualTo(2));
    }

    [Test]
    public async Task A_kill_behind_the_one_of_two_who_fails_does_not_forget_what_the_other_stores()
    {
        var digest = await _tiers.Disk.PutAsync(Blobs.Of(1, 1000));
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Abandon(digest);
        await _tiers.KillAsync();
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        await BroughtAsync();
        Assert.That(await _tiers.Memory.HasAsync(digest), Is.True);
    }

    [Test]
    public async Task What_is_stored_again_during_its_turn_has_another()
    {
        var digest = await _tiers.Disk.PutAsync(Blobs.Of(1, 1000));
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Stored(digest);
        await _time.WaitForTimerAsync(WriteBehind.AwayPause).WaitAsync(TimeSpan.FromSeconds(60)); // its turn has begun
        _tiers.Behind.Announce(digest);
        _tiers.Behind.Stored(digest);
        _tiers.Far.IsAway = false;
        _time.Advance(WriteBehind.AwayPause);

        await BroughtAsync();
        Assert.That(_tiers.Behind.Brought, Is.EqualTo(2));
    }

    [Test]
    public async Task A_queue_that_is_full_refuses_nobody_who_stores_something()
    {
        var digests = await PutManyAsync(150);

        Assert.That((_tiers.Behind.Waiting, _tiers.Behind.Dropped), Is.EqualTo((100, 50)));
        Assert.That(await _tiers.Store.FindMissingAsync(digests, default), Is.Empty);
    }

    [Test]
    public async Task A_torn_tail_costs_itself_only()
    {
        var digests = await PutManyAsync(10);
        await _tiers.KillAsync();
        await using (var log = File.Open(_tiers.QueuePath, FileMode.Open)) log.SetLength(log.Length - 7);
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        await BroughtAsync();
        Assert.That(await _tiers.Memory.FindMissingAsync(digests, default), Is.EqualTo(digests.TakeLast(1)));
    }

    [Test]
    public async Task A_file_that_is_no_queue_is_as_none()
    {
        await PutManyAsync(1);
        await _tiers.KillAsync();
        await File.WriteAllTextAsync(_tiers.QueuePath, "something else");
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        var digest = await _tiers.Store.PutAsync(Blobs.Of(99, 1000));
        await BroughtAsync();
        Assert.That(await _tiers.Memory.HasAsync(digest), Is.True);
    }

    [Test]
    public async Task What_is_over_does_not_make_the_file_grow()
    {
        using var scratch = new Scratch();
        await using var behind = WriteBehind.Start(new WriteBehindOptions { Directory = scratch.Path, Time = _time }, _tiers.Memory, _tiers.Memory);
        for (int i = 0; i < 20_000; i++)
        {
            var digest = Digest.Of(RemoteExec.Core.DigestFunction.Sha256, BitConverter.GetBytes(i));
            behind.Announce(digest);
            behind.Abandon(digest);
        }

        Assert.That(new FileInfo(Path.Combine(scratch.Path, "behind.log")).Length, Is.InRange(1, 2 << 20));
    }

    private async Task<List<Digest>> PutManyAsync(int count)
    {
        var digests = new List<Digest>();
        for (int i = 0; i < count; i++) digests.Add(await _tiers.Store.PutAsync(Blobs.Of(i, 1000)));
        return digests;
    }

    private Task BroughtAsync() => _tiers.BroughtAsync().WaitAsync(TimeSpan.FromSeconds(60));
}
