using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>Where blobs are when there are several stores.</summary>
public sealed class ShardedBlobStoreTests
{
    [Test]
    public void Each_node_gets_its_share_by_its_weight()
    {
        int[] found = CountFirsts([("a", 1), ("b", 1), ("c", 2)], digests: 40_000);

        // Ten standard deviations, for numbers that are the same in every run.
        Assert.That(found[0], Is.InRange(9_100, 10_900));
        Assert.That(found[1], Is.InRange(9_100, 10_900));
        Assert.That(found[2], Is.InRange(19_000, 21_000));
    }

    [Test]
    public void A_node_that_comes_takes_blobs_and_moves_no_other()
    {
        var before = RendezvousOf([("a", 1), ("b", 1), ("c", 1)]);
        var after = RendezvousOf([("a", 1), ("b", 1), ("c", 1), ("d", 1)]);

        int moved = 0;
        foreach (var digest in Digests(10_000))
        {
            int from = before.Find(digest).First;
            int to = after.Find(digest).First;
            Assert.That(to == from || to == 3, Is.True);
            if (to == 3) moved++;
        }

        Assert.That(moved, Is.InRange(2_000, 3_000));
    }

    [Test]
    public void The_order_in_which_nodes_are_named_changes_nothing()
    {
        var one = RendezvousOf([("a", 1), ("b", 3), ("c", 1)]);
        var other = RendezvousOf([("c", 1), ("a", 1), ("b", 3)]);
        int[] same = [1, 2, 0];

        foreach (var digest in Digests(1_000))
        {
            var (first, second) = one.Find(digest);
            Assert.That(other.Find(digest), Is.EqualTo((same[first], same[second])));
        }
    }

    [Test]
    public void The_numbers_are_what_they_were_in_the_first_version()
    {
        var rendezvous = RendezvousOf([("10.0.0.1:8980", 1), ("10.0.0.2:8980", 1), ("10.0.0.3:8980", 1)]);

        // Had they changed, a farm that is updated would look for every blob in another place.
        Assert.That(string.Concat(Digests(24).Select(digest => rendezvous.Find(digest).First)), Is.EqualTo("221222222020210020201100"));
    }

    [Test]
    public async Task A_question_goes_to_all_that_may_know_and_comes_back_in_order()
    {
        var (store, nodes) = Create(mirrored: false);
        var present = new List<Digest>();
        for (int i = 0; i < 100; i += 2) present.Add(await store.PutAsync(Blobs.Of(i, 100)));
        var asked = Enumerable.Range(0, 100).Select(i => Blobs.DigestOf(Blobs.Of(i, 100))).ToList();

        Assert.That(await store.FindMissingAsync([.. asked, .. asked], default), Is.EqualTo(asked.Where((_, i) => i % 2 == 1)));
        Assert.That(nodes.Select(node => node.Questions), Is.All.EqualTo(1));
        Assert.That(nodes.Sum(node => ((MemoryBlobStore)node.Inner).Usage.Blobs), Is.EqualTo(present.Count));
    }

    [Test]
    public async Task What_the_others_have_is_served_while_one_is_away()
    {
        var (store, nodes) = Create(mirrored: false);
        var digests = new List<Digest>();
        for (int i = 0; i < 60; i++) digests.Add(await store.PutAsync(Blobs.Of(i, 100)));
        nodes[1].IsAway = true;

        foreach (var digest in digests)
        {
            bool isAway = await nodes[1].Inner.HasAsync(digest);
            if (!isAway) Assert.That(await store.GetAsync(digest), Is.Not.Null);
            else Assert.That(Assert.ThrowsAsync<RpcException>(async () => await store.GetAsync(digest))!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        }
    }

    [Test]
    public async Task With_a_replica_any_one_may_be_away()
    {
        var repairs = new BlobRepairs(new ManualTime());
        var (store, nodes) = Create(mirrored: true, repairs);
        var digests = new List<Digest>();
        for (int i = 0; i < 60; i++) digests.Add(await store.PutAsync(Blobs.Of(i, 100)));
        Assert.That(nodes.Sum(node => ((MemoryBlobStore)node.Inner).Usage.Blobs), Is.EqualTo(120));

        foreach (var node in nodes)
        {
            node.IsAway = true;
            Assert.That(await store.FindMissingAsync(digests, default), Is.Empty);
            foreach (var digest in digests) Assert.That(await store.GetAsync(digest), Is.Not.Null);
            node.IsAway = false;
        }

        await repairs.DisposeAsync();
    }

    [Test]
    public async Task A_batch_goes_to_each_node_once_and_comes_back_in_order()
    {
        var (store, nodes) = Create(mirrored: false);
        var batch = BatchOf(90);
        batch.Add(batch[7]);
        batch.Add((Blobs.DigestOf(Blobs.Of(1000, 100)), Blobs.Of(1001, 100)));

        var statuses = await store.WriteManyAsync(batch, default);

        Assert.That(statuses.Select(status => status.StatusCode), Is.EqualTo([.. Enumerable.Repeat(StatusCode.OK, 91), StatusCode.InvalidArgument]));
        Assert.That(nodes.Select(node => node.Batches.Count), Is.All.EqualTo(1));
        Assert.That(nodes.Sum(node => node.Batches.Sum()), Is.EqualTo(92));
        foreach (var (digest, data) in batch.Take(90)) Assert.That(await store.GetAsync(digest), Is.EqualTo(data.ToArray()));
    }

    [Test]
    public async Task What_one_node_refuses_or_cannot_take_of_a_batch_fails_by_itself([Values] bool isAway)
    {
        var (store, nodes) = Create(mirrored: false);
        var batch = BatchOf(90);
        nodes[1].IsAway = isAway;
        if (!isAway) nodes[1].Refuses = digest => digest == batch.Last(blob => IsOf(nodes[1], blob.Digest)).Digest ? StatusCode.ResourceExhausted : null;

        var statuses = await store.WriteManyAsync(batch, default);

        var failed = Enumerable.Range(0, 90).Where(i => statuses[i].StatusCode != StatusCode.OK).ToList();
        Assert.That(failed, isAway ? Has.Count.InRange(2, 60) : Has.Count.EqualTo(1));
        Assert.That(failed.Select(i => statuses[i].StatusCode), Is.All.EqualTo(isAway ? StatusCode.Unavailable : StatusCode.ResourceExhausted));
        nodes[1].IsAway = false;
        Assert.That(await store.FindMissingAsync([.. batch.Select(blob => blob.Digest)], default), Is.EqualTo(failed.Select(i => batch[i].Digest)));

        bool IsOf(FaultyBlobStore node, Digest digest) => RendezvousOf([("node 0", 1), ("node 1", 1), ("node 2", 1)]).Find(digest).First == Array.IndexOf(nodes, node);
    }

    private static List<(Digest Digest, ReadOnlyMemory<byte> Data)> BatchOf(int blobs) =>
        [.. Enumerable.Range(0, blobs).Select(i => Blobs.Of(i, 100)).Select(data => (Blobs.DigestOf(data), (ReadOnlyMemory<byte>)data))];

    private static (ShardedBlobStore Store, FaultyBlobStore[] Nodes) Create(bool mirrored, BlobRepairs? repairs = null)
    {
        FaultyBlobStore[] nodes = [.. Enumerable.Range(0, 3).Select(_ => new FaultyBlobStore(new MemoryBlobStore(1 << 20, TimeSpan.FromHours(4), new ManualTime())))];
        var named = nodes.Select((node, i) => new BlobNode($"node {i}", node)).ToList();
        return (new ShardedBlobStore(named, mirrored ? (one, other) => new MirroredBlobStore(one, other, repairs!) : null), nodes);
    }

    private static Rendezvous RendezvousOf((string Name, int Weight)[] nodes) =>
        new(nodes.Select(node => new BlobNode(node.Name, new MemoryBlobStore(1, TimeSpan.Zero, new ManualTime()), node.Weight)));

    private static int[] CountFirsts((string Name, int Weight)[] nodes, int digests)
    {
        var rendezvous = RendezvousOf(nodes);
        int[] found = new int[nodes.Length];
        foreach (var digest in Digests(digests)) found[rendezvous.Find(digest).First]++;
        return found;
    }

    private static IEnumerable<Digest> Digests(int count) =>
        Enumerable.Range(0, count).Select(i => Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(i)));
}
