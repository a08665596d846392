using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>What a client may wish of a result that is stored: to be kept for less, or for longer.</summary>
public sealed class ResultPriorityTests : DiskFixture
{
    private const int BlobBytes = 20_000;

    [Test] // REAPI A6
    public async Task Results_go_in_the_order_of_their_priorities_also_after_a_restart([Values] bool isRestarted)
    {
        const long LimitBytes = (7 * BlobBytes) + 1000; // three of seven: less than half is promised
        var store = await OpenAsync(LimitBytes);
        try
        {
            var (less, usual, more) = (await store.PutAsync(Blobs.Of(1, BlobBytes)), await store.PutAsync(Blobs.Of(2, BlobBytes)), await store.PutAsync(Blobs.Of(3, BlobBytes)));
            Time.Advance(TimeSpan.FromHours(1));
            await store.FindMissingAsync([more], PromiseKind.Long, default);
            await store.FindMissingAsync([less], PromiseKind.Brief, default);
            await store.FindMissingAsync([usual], PromiseKind.Use, default);
            if (isRestarted)
            {
                await store.DisposeAsync();
                store = await OpenAsync(LimitBytes);
            }

            // Its upload, three hours from being stored, is what is left of a promise.
            Time.Advance(Retention - TimeSpan.FromHours(1) - TimeSpan.FromSeconds(1));
            await store.PutAsync(Blobs.Of(10, 4 * BlobBytes));
            Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(11, BlobBytes)));
            Time.Advance(TimeSpan.FromSeconds(1));
            await store.PutAsync(Blobs.Of(11, BlobBytes));
            Assert.That(new[] { less, usual, more }.Where(digest => store.UnusedFor(digest) is null), Is.EqualTo(new[] { less }));

            Time.Advance(TimeSpan.FromHours(1) - TimeSpan.FromSeconds(1));
            Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(12, BlobBytes)));
            Time.Advance(TimeSpan.FromSeconds(1));
            await store.PutAsync(Blobs.Of(12, BlobBytes));
            Assert.That(new[] { usual, more }.Where(digest => store.UnusedFor(digest) is null), Is.EqualTo(new[] { usual }));

            Time.Advance((Retention / 2) - TimeSpan.FromSeconds(1));
            Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(13, BlobBytes)), "half as long again, and all else was stored later");
            Time.Advance(TimeSpan.FromSeconds(1));
            await store.PutAsync(Blobs.Of(13, BlobBytes));
            Assert.That(store.UnusedFor(more), Is.Null);
            await AssertConsistentAsync(store);
        }
        finally
        {
            await store.DisposeAsync();
        }
    }

    [Test] // REAPI A6
    public async Task A_wish_to_be_kept_for_longer_is_not_heard_where_more_than_half_of_the_store_is_promised()
    {
        await using var store = await OpenAsync((3 * BlobBytes) + 1000);
        var more = await store.PutAsync(Blobs.Of(1, BlobBytes));
        await store.PutAsync(Blobs.Of(2, BlobBytes));
        await store.FindMissingAsync([more], PromiseKind.Long, default);
        Time.Advance(Retention);

        await store.PutAsync(Blobs.Of(3, 3 * BlobBytes));

        Assert.That(store.UnusedFor(more), Is.Null);
    }

    [Test] // REAPI A6
    public async Task A_wish_to_be_kept_for_less_takes_nothing_away_from_what_others_were_promised()
    {
        await using var store = await OpenAsync(BlobBytes);
        var digest = await store.PutAsync(Blobs.Of(1, BlobBytes));
        await store.FindMissingAsync([digest], PromiseKind.Brief, default);
        Time.Advance(Retention - TimeSpan.FromSeconds(1));

        Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, BlobBytes)));
        Assert.That(store.UnusedFor(digest), Is.Not.Null);
    }

    [Test]
    public async Task A_use_in_between_takes_nothing_away_from_who_is_kept_for_longer()
    {
        await using var store = await OpenAsync((3 * BlobBytes) + 1000);
        var more = await store.PutAsync(Blobs.Of(1, BlobBytes));
        await store.FindMissingAsync([more], PromiseKind.Long, default);
        Time.Advance(TimeSpan.FromMinutes(30));
        await store.FindMissingAsync([more], default);
        Time.Advance(Retention + (Retention / 2) - TimeSpan.FromMinutes(30) - TimeSpan.FromSeconds(1));

        Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 3 * BlobBytes)));

        // And one that is later than the long one counts like any other.
        await store.FindMissingAsync([more], default);
        Time.Advance(Retention - TimeSpan.FromSeconds(1));
        Assert.ThrowsAsync<RpcException>(async () => await store.PutAsync(Blobs.Of(2, 3 * BlobBytes)));
        Time.Advance(TimeSpan.FromSeconds(1));
        await store.PutAsync(Blobs.Of(2, 3 * BlobBytes));
    }
}
