using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What a store that holds blobs within a limit promises (D4).</summary>
public abstract class RetentionContract : BlobStoreContract
{
    private protected static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private const int MebiByte = 1 << 20;

    [Test]
    public async Task A_full_store_evicts_the_least_recently_used_whose_promise_ended()
    {
        var digests = await FillAsync();
        Time.Advance(Retention);
        // The clock stands at the end of all promises; these three uses renew theirs.
        await Store.FindMissingAsync([digests[0]], default);
        await (await Store.OpenReadAsync(digests[1], 0, default))!.DisposeAsync();
        await using (await Store.CreateWriterAsync(digests[2], default)) { }

        await Store.PutAsync(Blobs.Of(100, 2 * MebiByte));

        Assert.That(await Store.FindMissingAsync(digests, default), Is.EqualTo(new[] { digests[3], digests[4] }));
        Assert.That(Usage.EvictedBytes, Is.EqualTo(2 * MebiByte));
        Assert.That(Usage.EvictedAge, Is.EqualTo(Retention), "they had not been used for so long");
    }

    [Test]
    public async Task A_promise_is_not_broken_for_a_new_blob()
    {
        var digests = await FillAsync();
        Time.Advance(Retention - TimeSpan.FromSeconds(10));

        var refused = Assert.ThrowsAsync<RpcException>(async () => await Store.PutAsync(Blobs.Of(100, MebiByte)));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refused.Status.Detail, Does.Contain("--max-cas-size").And.Contain("--retention"), "F28: both flags");
        var details = Google.Rpc.Status.Parser.ParseFrom(refused.Trailers.Single(entry => entry.Key == "grpc-status-details-bin").ValueBytes);
        Assert.That(details.Details.Single().Unpack<Google.Rpc.RetryInfo>().RetryDelay.ToTimeSpan(), Is.EqualTo(TimeSpan.FromSeconds(10)));
        Assert.That(await Store.FindMissingAsync(digests, default), Is.Empty);
    }

    [Test]
    public async Task Room_comes_back_when_promises_end()
    {
        await FillAsync();
        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(100, MebiByte)));
        Time.Advance(Retention);

        await Store.PutAsync(Blobs.Of(100, MebiByte));

        Assert.That(Usage.UsedBytes, Is.EqualTo(LimitBytes));
    }

    [Test]
    public async Task A_blob_larger_than_the_store_is_refused()
    {
        byte[] data = Blobs.Of(1, (int)LimitBytes + 1);

        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.CreateWriterAsync(Blobs.DigestOf(data), default));
        Assert.That(Usage.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task Uploads_under_way_count_against_the_limit()
    {
        byte[] first = Blobs.Of(1, 5 * MebiByte);
        byte[] second = Blobs.Of(2, 4 * MebiByte);
        var writer = await Store.CreateWriterAsync(Blobs.DigestOf(first), default);
        await writer.AppendAsync(first, default);

        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(second));
        await writer.DisposeAsync();

        await Store.PutAsync(second);
    }

    [Test]
    public async Task An_open_reader_reads_an_evicted_blob_to_its_end()
    {
        byte[] data = Blobs.Of(0, MebiByte);
        var digests = await FillAsync();
        await using var reader = (await Store.OpenReadAsync(digests[0], 0, default))!;
        Time.Advance(Retention);
        await Store.PutAsync(Blobs.Of(100, (int)LimitBytes));
        Assert.That(await Store.HasAsync(digests[0]), Is.False);

        byte[] read = new byte[MebiByte];
        for (int filled = 0; filled < read.Length;)
        {
            int count = await reader.ReadAsync(read.AsMemory(filled), default);
            Assert.That(count, Is.Positive);
            filled += count;
        }

        Assert.That(read, Is.EqualTo(data));
    }

    [Test]
    public async Task A_clock_that_steps_back_breaks_no_promise()
    {
        var digests = await FillAsync();
        Time.Advance(TimeSpan.FromDays(-1));
        await Store.FindMissingAsync(digests, default);
        Time.Advance(TimeSpan.FromDays(1) + Retention - TimeSpan.FromSeconds(1));

        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(100, MebiByte)));
    }

    [Test]
    public async Task Random_use_agrees_with_a_model_of_promises()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        var blobs = Enumerable.Range(0, 24).Select(i => Blobs.Of(i, MebiByte / 2 + i)).ToList();
        var promisedUntil = new Dictionary<RemoteExec.Core.Digest, DateTimeOffset>();
        for (int step = 0; step < 600; step++)
        {
            Time.Advance(TimeSpan.FromMinutes(random.Next(0, 30)));
            byte[] data = blobs[random.Next(blobs.Count)];
            var digest = Blobs.DigestOf(data);
            if (random.Next(2) == 0)
            {
                if (await Store.HasAsync(digest)) promisedUntil[digest] = Time.GetUtcNow() + Retention;
            }
            else
            {
                try
                {
                    await Store.PutAsync(data);
                    promisedUntil[digest] = Time.GetUtcNow() + Retention;
                }
                catch (RpcException refused) when (refused.StatusCode == StatusCode.ResourceExhausted)
                {
                    long promisedBytes = promisedUntil.Where(promise => promise.Value > Time.GetUtcNow()).Sum(promise => promise.Key.SizeBytes);
                    Assert.That(promisedBytes + data.Length, Is.GreaterThan(LimitBytes), "refused although there was room");
                }
            }

            foreach (var (promised, until) in promisedUntil)
            {
                if (until <= Time.GetUtcNow()) continue;
                // Opening extends the promise; a store is asked by other means in the model's place only here.
                if (random.Next(20) != 0) continue;
                await using var reader = await Store.OpenReadAsync(promised, 0, default);
                Assert.That(reader, Is.Not.Null, $"step {step}: a promise was broken");
                promisedUntil[promised] = Time.GetUtcNow() + Retention;
                break;
            }

            Assert.That(Usage.UsedBytes, Is.LessThanOrEqualTo(LimitBytes));
        }
    }

    private protected abstract BlobStoreUsage Usage { get; }

    private protected override Task NothingIsLeftAsync()
    {
        Assert.That(Usage, Is.EqualTo(Usage with { UsedBytes = 0, ReservedBytes = 0, Blobs = 0 }));
        return Task.CompletedTask;
    }

    private async Task<List<RemoteExec.Core.Digest>> FillAsync()
    {
        var digests = new List<RemoteExec.Core.Digest>();
        for (int i = 0; i < LimitBytes / MebiByte; i++)
            digests.Add(await Store.PutAsync(Blobs.Of(i, MebiByte)));
        return digests;
    }
}
