using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>What every blob store promises.</summary>
public abstract class BlobStoreContract
{
    private protected const long LimitBytes = 8 << 20;

    private protected ManualTime Time { get; private set; } = new();

    private protected IBlobStore Store { get; private set; } = null!;

    /// <summary>Far away it shows only at the end.</summary>
    private protected virtual bool KnowsPresenceAtOnce => true;

    [SetUp]
    public async Task CreateStoreBeforeTest()
    {
        Time = new ManualTime();
        Store = await CreateStoreAsync();
    }

    [TearDown]
    public async Task DeleteStoreAfterTest() => await DeleteStoreAsync(Store);

    [Test]
    public async Task What_was_written_is_read_back([Values(1, 4095, 65536, 300_000, 5 << 20)] int sizeBytes)
    {
        byte[] data = Blobs.Of(sizeBytes, sizeBytes);

        var digest = await Store.PutAsync(data);

        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task Every_function_has_its_own_blobs()
    {
        byte[] data = Blobs.Of(1, 1000);
        foreach (var function in DigestFunctions.Supported)
        {
            var digest = Digest.Of(function, data);
            Assert.That(await Store.HasAsync(digest), Is.False, digest.ToString());
            await Store.WriteAllAsync(digest, data, default);
            Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
        }
    }

    [Test]
    public async Task A_miss_is_a_value()
    {
        var digest = Blobs.DigestOf(Blobs.Of(1, 10));

        Assert.That(await Store.OpenReadAsync(digest, 0, default), Is.Null);
        Assert.That(await Store.FindMissingAsync([digest, digest], default), Is.EqualTo(new[] { digest }));
    }

    [Test]
    public async Task The_empty_blob_always_exists()
    {
        foreach (var function in DigestFunctions.Supported)
        {
            var empty = Digest.Empty(function);
            Assert.That(await Store.FindMissingAsync([empty], default), Is.Empty);
            Assert.That(await Store.GetAsync(empty), Is.Empty);
            await Store.WriteAllAsync(empty, ReadOnlyMemory<byte>.Empty, default);
        }
    }

    [Test]
    public async Task Bytes_for_the_empty_blob_are_refused()
    {
        await using var writer = await Store.CreateWriterAsync(Digest.Empty(DigestFunction.Sha256), default);

        await RefusedAsync(StatusCode.InvalidArgument, async () => await writer.AppendAsync(new byte[1], default));
    }

    [Test]
    public async Task Reading_starts_at_the_offset()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await Store.PutAsync(data);

        await using var reader = (await Store.OpenReadAsync(digest, 990, default))!;
        byte[] rest = new byte[100];

        Assert.That(reader.RemainingBytes, Is.EqualTo(10));
        Assert.That(await reader.ReadAsync(rest, default), Is.EqualTo(10));
        Assert.That(rest.AsSpan(0, 10).SequenceEqual(data.AsSpan(990)), Is.True);
        Assert.That(await reader.ReadAsync(rest, default), Is.Zero);
    }

    [Test]
    public async Task An_offset_at_the_end_is_empty_and_one_beyond_is_out_of_range()
    {
        var digest = await Store.PutAsync(Blobs.Of(1, 1000));

        await using (var reader = (await Store.OpenReadAsync(digest, 1000, default))!)
            Assert.That(await reader.ReadAsync(new byte[1], default), Is.Zero);

        await RefusedAsync(StatusCode.OutOfRange, async () => await Store.OpenReadAsync(digest, 1001, default));
        await RefusedAsync(StatusCode.OutOfRange, async () => await Store.OpenReadAsync(digest, -1, default));
    }

    [Test]
    public async Task An_abandoned_write_leaves_nothing_behind()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using (var writer = await Store.CreateWriterAsync(Blobs.DigestOf(data), default))
            await writer.AppendAsync(data, default);

        Assert.That(await Store.OpenReadAsync(Blobs.DigestOf(data), 0, default), Is.Null);
        await NothingIsLeftAsync();
    }

    [Test]
    public async Task A_wrong_hash_is_refused_and_leaves_nothing_behind()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = Blobs.DigestOf(data);
        data[500] ^= 1;

        await RefusedAsync(StatusCode.InvalidArgument, async () => await Store.WriteAllAsync(digest, data, default));

        Assert.That(await Store.HasAsync(digest), Is.False);
        await NothingIsLeftAsync();
    }

    [Test]
    public async Task Too_few_bytes_are_refused_at_the_end()
    {
        byte[] data = Blobs.Of(1, 1000);

        await RefusedAsync(
            StatusCode.InvalidArgument, async () => await Store.WriteAllAsync(Blobs.DigestOf(data), data.AsMemory(0, 999), default));
        await NothingIsLeftAsync();
    }

    [Test]
    public async Task One_byte_too_many_is_refused_at_once()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using (var writer = await Store.CreateWriterAsync(Blobs.DigestOf(data), default))
        {
            await writer.AppendAsync(data, default);
            await RefusedAsync(StatusCode.InvalidArgument, async () => await writer.AppendAsync(new byte[1], default));
        }

        await NothingIsLeftAsync();
    }

    [Test]
    public async Task Writing_what_is_there_says_so_and_takes_the_bytes_anyway()
    {
        byte[] data = Blobs.Of(1, 1000);
        var digest = await Store.PutAsync(data);

        await using var writer = await Store.CreateWriterAsync(digest, default);

        if (KnowsPresenceAtOnce) Assert.That(writer.AlreadyPresent, Is.True);
        await writer.AppendAsync(data, default);
        await writer.CommitAsync(default);
        Assert.That(writer.AlreadyPresent, Is.True);
        Assert.That(writer.WrittenBytes, Is.EqualTo(1000));
    }

    [Test]
    public async Task Two_writers_of_one_blob_each_write_their_own_and_the_first_commit_wins()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var digest = Blobs.DigestOf(data);
        await using var first = await Store.CreateWriterAsync(digest, default);
        await using var second = await Store.CreateWriterAsync(digest, default);
        await first.AppendAsync(data.AsMemory(0, 1_000_000), default);
        await second.AppendAsync(data, default);
        await second.CommitAsync(default);
        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data), "while the first is at it");

        await first.AppendAsync(data.AsMemory(1_000_000), default);
        if (KnowsPresenceAtOnce) Assert.That(first.AlreadyPresent, Is.True, "the rest need not travel");
        await first.CommitAsync(default);
        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task A_writer_of_wrong_bytes_keeps_nobody_from_writing_the_right_ones()
    {
        byte[] data = Blobs.Of(1, 3_000_000);
        var digest = Blobs.DigestOf(data);
        await using (var wrong = await Store.CreateWriterAsync(digest, default))
        {
            await wrong.AppendAsync(new byte[data.Length], default);
            await Store.WriteAllAsync(digest, data, default);
            // Present by now: how it ends for the wrong one is all the same.
        }

        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task Many_blobs_at_once_each_have_their_own_status()
    {
        var blobs = Enumerable.Range(0, 300).Select(i => Blobs.Of(i, 100 + i)).ToList();
        var batch = blobs.Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data)).ToList();
        batch.Add((Blobs.DigestOf(blobs[0]), new byte[100]));
        batch.Add(batch[1]);

        var statuses = await Store.WriteManyAsync(batch, default);

        Assert.That(statuses.Take(300).Select(status => status.StatusCode), Is.All.EqualTo(StatusCode.OK));
        Assert.That(statuses[301].StatusCode, Is.EqualTo(StatusCode.OK));
        Assert.That(await Store.FindMissingAsync([.. batch.Select(blob => blob.Item1)], default), Is.Empty);
        Assert.That(await Store.GetAsync(batch[0].Item1), Is.EqualTo(blobs[0]));
    }

    [Test]
    public async Task Any_split_into_pieces_gives_the_same_blob()
    {
        int seed = Environment.TickCount;
        TestContext.Out.WriteLine($"seed {seed}");
        var random = new Random(seed);
        for (int round = 0; round < 20; round++)
        {
            byte[] data = Blobs.Of(random.Next(), random.Next(1, 400_000));
            var digest = Blobs.DigestOf(data);
            await using (var writer = await Store.CreateWriterAsync(digest, default))
            {
                for (int at = 0; at < data.Length;)
                {
                    int count = random.Next(0, Math.Min(data.Length - at, 200_000) + 1);
                    await writer.AppendAsync(data.AsMemory(at, count), default);
                    at += count;
                }

                await writer.CommitAsync(default);
            }

            Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
        }
    }

    [Test]
    public async Task A_cancelled_call_does_nothing()
    {
        using var cancelled = new CancellationTokenSource();
        await cancelled.CancelAsync();
        byte[] data = Blobs.Of(1, 10);

        Assert.That(
            async () => await Store.WriteAllAsync(Blobs.DigestOf(data), data, cancelled.Token),
            Throws.InstanceOf<OperationCanceledException>());
        Assert.That(await Store.HasAsync(Blobs.DigestOf(data)), Is.False);
    }

    private protected abstract Task<IBlobStore> CreateStoreAsync();

    private protected virtual Task DeleteStoreAsync(IBlobStore store) => Task.CompletedTask;

    /// <summary>Whatever an implementation can check after an upload that came to nothing.</summary>
    private protected virtual Task NothingIsLeftAsync() => Task.CompletedTask;

    private protected static async Task RefusedAsync(StatusCode code, Func<Task> act)
    {
        try
        {
            await act();
        }
        catch (RpcException refused)
        {
            Assert.That(refused.StatusCode, Is.EqualTo(code), refused.Status.Detail);
            return;
        }

        Assert.Fail($"expected {code}, nothing was refused");
    }
}
