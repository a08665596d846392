using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>Large blobs from a server that splits them, on a machine that has earlier versions of them.</summary>
public sealed class ChunkFetchingBlobStoreTests : ChunkFetchFixture
{
    [Test]
    public async Task A_change_of_a_large_blob_travels_and_the_rest_of_it_does_not()
    {
        byte[] first = Blobs.Of(1, 32 * MebiByte);
        byte[] second = [.. first.AsSpan(0, 10 * MebiByte), .. Blobs.Of(2, 1000), .. first.AsSpan(10 * MebiByte)];
        await FetchAsync(first);
        Assert.That(Store.FetchedBytes, Is.EqualTo(first.Length));

        await FetchAsync(second);

        // A chunk or two, of half a mebibyte.
        Assert.That(Store.FetchedBytes - first.Length, Is.InRange(1000, 4 * MebiByte));
        Assert.That(Store.FetchedBytes + Store.FoundBytes, Is.EqualTo(first.Length + second.Length));
        Assert.That(Peer.Reads, Is.LessThan(10), "hardly a chunk is too large for a batch");
    }

    [Test]
    public async Task The_version_before_last_serves_too_and_one_that_was_evicted_does_not()
    {
        byte[] first = Blobs.Of(1, 8 * MebiByte);
        await FetchAsync(first);
        await FetchAsync([.. first, 1]);
        long before = Store.FetchedBytes;
        await FetchAsync([0, .. first]);
        Assert.That(Store.FetchedBytes - before, Is.LessThan(4 * MebiByte));

        foreach (byte[] version in (byte[][])[first, [.. first, 1], [0, .. first]]) Disk.PutAside(Blobs.DigestOf(version));
        before = Store.FetchedBytes;
        await FetchAsync([2, .. first]);
        Assert.That(Store.FetchedBytes - before, Is.EqualTo(first.Length + 1));
    }

    [Test]
    public async Task Small_blobs_and_those_of_a_server_that_does_not_split_come_as_a_whole([Values] bool splits)
    {
        Peer.Splits = splits;
        await FetchAsync(Blobs.Of(1, 999_999));
        if (!splits) await FetchAsync(Blobs.Of(2, 8 * MebiByte));

        Assert.That((Store.FetchedBytes, Peer.SplitCalls), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task A_split_that_is_refused_costs_nothing_but_the_question()
    {
        Peer.SplitRefusal = StatusCode.ResourceExhausted;
        await FetchAsync(Blobs.Of(2, 8 * MebiByte));

        Assert.That((Store.FetchedBytes, Peer.SplitCalls), Is.EqualTo((0, 1)));
    }

    [Test]
    public async Task When_a_chunk_is_gone_the_rest_comes_as_a_whole()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        Peer.LosesChunksAfter = 5;
        await FetchAsync(data);

        Assert.That(Store.FetchedBytes, Is.InRange(1, data.Length - 1));
        Assert.That(Peer.Reads, Is.GreaterThanOrEqualTo(1));
    }

    [Test]
    public async Task Reading_may_start_anywhere()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        await Far.PutAsync(data);
        foreach (int offset in (int[])[0, 1, 3 * MebiByte, data.Length - 1, data.Length])
        {
            await using var reader = (await Store.OpenReadAsync(Blobs.DigestOf(data), offset, default))!;
            byte[] rest = new byte[data.Length - offset];
            await reader.ReadExactlyAsync(rest);
            Assert.That(rest.AsSpan().SequenceEqual(data.AsSpan(offset)), Is.True);
            Assert.That(reader.RemainingBytes, Is.Zero);
        }
    }

    [Test]
    public async Task Who_leaves_in_the_middle_is_waited_for_by_nobody()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        var digest = await Far.PutAsync(data);
        var reader = (await Store.OpenReadAsync(digest, 0, default))!;
        await reader.ReadAsync(new byte[100], default);
        await reader.DisposeAsync();

        Assert.That(Store.FetchedBytes, Is.LessThan(data.Length));
        Assert.That(await Here.HasAsync(digest), Is.False);
        await FetchAsync(data);
    }
}
