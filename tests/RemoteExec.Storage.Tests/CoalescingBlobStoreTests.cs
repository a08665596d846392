using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class CoalescingBlobStoreTests : BlobStoreContract
{
    private static readonly TimeSpan StallMax = TimeSpan.FromSeconds(10);

    private MemoryBlobStore _inner = null!;

    [Test]
    public async Task Late_writers_wait_and_find_the_blob_present()
    {
        byte[] data = Blobs.Of(1, 1000);
        var first = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await first.AppendAsync(data.AsMemory(0, 500), default);
        var late = await Task.WhenAll(Enumerable.Range(0, 63).Select(_ => Store.CreateWriterAsync(Blobs.DigestOf(data), default).AsTask()));
        var appends = late.Select(writer => writer.AppendAsync(data.AsMemory(0, 500), default).AsTask()).ToList();

        Assert.That(appends.Any(append => append.IsCompleted), Is.False);
        Assert.That(_inner.Usage.ReservedBytes, Is.EqualTo(1000), "one upload is under way");
        await first.AppendAsync(data.AsMemory(500), default);
        await first.CommitAsync(default);
        await Task.WhenAll(appends);

        Assert.That(late.Select(writer => writer.AlreadyPresent), Is.All.True);
        foreach (var writer in late.Append(first)) await writer.DisposeAsync();
        Assert.That(_inner.Usage.ReservedBytes, Is.Zero);
    }

    [Test]
    public async Task When_the_first_fails_the_next_goes_on_with_its_own_bytes()
    {
        byte[] data = Blobs.Of(1, 1000);
        var first = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await first.AppendAsync(new byte[500], default);
        await using var second = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await using var third = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        var appending = second.AppendAsync(data, default).AsTask();
        await first.DisposeAsync();

        await appending;
        var waiting = third.AppendAsync(data, default).AsTask();
        await second.CommitAsync(default);
        await waiting;

        Assert.That(third.AlreadyPresent, Is.True);
        Assert.That(await Store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task When_the_first_stands_still_the_next_overtakes_it()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using var first = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await first.AppendAsync(data.AsMemory(0, 500), default);
        await using var second = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        var appending = second.AppendAsync(data, default).AsTask();
        Assert.That(appending.IsCompleted, Is.False);

        Time.Advance(StallMax);
        await appending;
        await second.CommitAsync(default);

        Assert.That(first.AlreadyPresent, Is.True);
        await first.AppendAsync(data.AsMemory(500), default);
        await first.CommitAsync(default);
        Assert.That(await Store.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task A_waiting_writer_can_be_cancelled()
    {
        byte[] data = Blobs.Of(1, 1000);
        await using var first = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        await using var second = await Store.CreateWriterAsync(Blobs.DigestOf(data), default);
        using var cancellation = new CancellationTokenSource();
        var appending = second.AppendAsync(data, cancellation.Token).AsTask();
        await cancellation.CancelAsync();

        Assert.That(async () => await appending, Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public async Task A_refusal_of_the_store_reaches_the_writer_and_does_not_block_the_next()
    {
        byte[] data = Blobs.Of(1, (int)LimitBytes + 1);
        for (int i = 0; i < 2; i++)
            await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.CreateWriterAsync(Blobs.DigestOf(data), default));
    }

    private protected override Task<IBlobStore> CreateStoreAsync()
    {
        _inner = new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), Time);
        return Task.FromResult<IBlobStore>(new CoalescingBlobStore(_inner, StallMax, Time));
    }
}
