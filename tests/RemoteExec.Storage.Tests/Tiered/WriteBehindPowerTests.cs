using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>What was stored is brought behind whatever happens to the machine.</summary>
public sealed class WriteBehindPowerTests
{
    private ForgetfulDisk _disk = null!;
    private ManualTime _time = null!;
    private TwoTiers _tiers = null!;

    [SetUp]
    public async Task OpenTiers()
    {
        _disk = new ForgetfulDisk();
        _time = new ManualTime();
        _tiers = new TwoTiers(limitBytes: 64 << 20, _time) { FlushedDisk = _disk };
        _tiers.Far.IsAway = true;
        await _tiers.OpenAsync();
    }

    [TearDown]
    public async Task CloseTiers() => await _tiers.DisposeAsync();

    [TestCase("small")]
    [TestCase("large")]
    [TestCase("batch")]
    [TestCase("file")]
    public async Task What_was_acknowledged_is_brought_after_a_loss_of_power(string how)
    {
        var digests = await StoreAsync(how);
        await LosePowerAsync();
        _tiers.Far.IsAway = false;

        await _tiers.OpenAsync();
        await _tiers.BroughtAsync().WaitAsync(TimeSpan.FromMinutes(2));

        Assert.That(await _tiers.Memory.FindMissingAsync(digests, default), Is.Empty);
        Assert.That((_tiers.Behind.Brought, _tiers.Behind.Dropped), Is.EqualTo((digests.Count, 0)));
    }

    [TestCase("small")]
    [TestCase("large")]
    [TestCase("batch")]
    public async Task The_queue_is_on_disk_before_the_blob_is(string how)
    {
        _disk.Flushes.Clear();
        await StoreAsync(how);

        var names = _disk.Flushes.ToList();
        int queue = names.FindIndex(path => path.EndsWith("behind.log", StringComparison.Ordinal));
        int blobs = names.FindIndex(path => path.Contains("/cas/", StringComparison.Ordinal));
        Assert.That(queue, Is.InRange(0, blobs - 1), () => string.Join("\n", names));
        if (how == "batch") Assert.That(names.FindLastIndex(path => path.EndsWith("behind.log", StringComparison.Ordinal)), Is.EqualTo(queue), "one flush for all of it");
    }

    [Test]
    public async Task Those_who_come_while_a_flush_is_under_way_share_the_next_one()
    {
        using var began = new SemaphoreSlim(0);
        using var held = new ManualResetEventSlim();
        _disk.BeforeFlush = path =>
        {
            if (!path.EndsWith("behind.log", StringComparison.Ordinal)) return;
            began.Release();
            held.Wait(TimeSpan.FromMinutes(2));
        };
        _tiers.Behind.Announce(DigestOf(0));
        var first = _tiers.Behind.FlushAsync();
        Assert.That(await began.WaitAsync(TimeSpan.FromMinutes(2)), Is.True);
        var others = Enumerable.Range(1, 60).Select(i =>
        {
            _tiers.Behind.Announce(DigestOf(i));
            return _tiers.Behind.FlushAsync();
        }).ToList();
        Assert.That(others.Append(first).Any(flush => flush.IsCompleted), Is.False);

        held.Set();
        await Task.WhenAll([first, .. others]).WaitAsync(TimeSpan.FromMinutes(2));

        Assert.That(_disk.Flushes.Count(path => path.EndsWith("behind.log", StringComparison.Ordinal)), Is.EqualTo(2));
        Assert.That(_tiers.Behind.FlushAsync().IsCompleted, Is.True, "nothing is left to be flushed");
    }

    [Test]
    public async Task A_queue_that_was_written_anew_has_all_that_waits_after_a_loss_of_power()
    {
        var digests = await StoreAsync("small");
        long lengthBefore = new FileInfo(_tiers.QueuePath).Length;
        for (int i = 0; i < 20_000; i++)
        {
            _tiers.Behind.Announce(DigestOf(i));
            _tiers.Behind.Abandon(DigestOf(i));
        }

        Assert.That(_disk.Flushes.Any(path => path.EndsWith(".tmp", StringComparison.Ordinal)), Is.True, "it was written anew");
        await LosePowerAsync();
        Assert.That(new FileInfo(_tiers.QueuePath).Length, Is.GreaterThanOrEqualTo(lengthBefore));

        await _tiers.OpenAsync();
        Assert.That(_tiers.Behind.Waiting, Is.EqualTo(digests.Count));
    }

    [Test]
    public async Task A_flush_that_fails_refuses_nobody_and_what_it_was_about_is_written_anew()
    {
        _disk.Fault = "behind.log";
        var digests = await StoreAsync("small");
        Assert.That(await _tiers.Store.FindMissingAsync(digests, default), Is.Empty);
        Assert.That(_disk.Flushes.Any(path => path.EndsWith("behind.log.tmp", StringComparison.Ordinal)), Is.True, "the failed file is not believed again");

        _disk.Fault = null;
        digests.AddRange(await StoreAsync("batch"));
        await LosePowerAsync();
        await _tiers.OpenAsync();
        Assert.That(_tiers.Behind.Waiting, Is.EqualTo(digests.Count));
    }

    private static Digest DigestOf(int i) => Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(i));

    private async Task<List<Digest>> StoreAsync(string how)
    {
        switch (how)
        {
            case "batch":
                var batch = Enumerable.Range(100, 30).Select(i => Blobs.Of(i, 500)).Select(data => (Digest: Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data)).ToList();
                await _tiers.Store.WriteManyAsync(batch, default);
                return batch.ConvertAll(blob => blob.Digest);
            case "file":
                using (var scratch = new Scratch())
                {
                    await File.WriteAllBytesAsync(scratch.Sub("out"), Blobs.Of(1, 3000));
                    using var file = File.OpenHandle(scratch.Sub("out"));
                    return [await _tiers.Store.ImportFileAsync(DigestFunction.Sha256, file, default)];
                }

            default:
                var digests = new List<Digest>();
                for (int i = 0; i < 5; i++) digests.Add(await _tiers.Store.PutAsync(Blobs.Of(i, how == "large" ? 2 << 20 : 1000)));
                return digests;
        }
    }

    /// <summary>Of the queue what was flushed is left; of the blobs all, as those of other tests see to.</summary>
    private async Task LosePowerAsync()
    {
        await _tiers.KillAsync();
        _disk.Lose(_tiers.QueuePath);
    }
}
