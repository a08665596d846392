using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class ChunkListsTests
{
    private Scratch _scratch = null!;
    private ManualTime _time = null!;

    private string Log => Path.Combine(_scratch.Sub("chunks"), "lists.log");

    [SetUp]
    public void CreateScratch() => (_scratch, _time) = (new Scratch(), new ManualTime());

    [TearDown]
    public void DeleteScratch() => _scratch.Dispose();

    private ChunkLists Open(int chunksMax = 100, IDisk? disk = null) => ChunkLists.Open(
        new ChunkListsOptions { Directory = _scratch.Sub("chunks"), Retention = TimeSpan.FromHours(4), ChunksMax = chunksMax, Disk = disk }, _time);

    private static (Digest Blob, ChunkList List) Some(int seed, int chunks, DigestFunction function = DigestFunction.Sha256)
    {
        byte[][] pieces = [.. Enumerable.Range(0, chunks).Select(i => Blobs.Of(seed * 1000 + i, 10 + i))];
        return (
            Digest.Of(function, pieces.SelectMany(piece => piece).ToArray()),
            new ChunkList(ChunkingAlgorithm.RepMaxCdc, [.. pieces.Select(piece => Digest.Of(function, piece))]));
    }

    /// <summary>Zeros, in chunks of one.</summary>
    private static (Digest Blob, ChunkList List) Ones(int chunks) => (
        Digest.Of(DigestFunction.Sha256, new byte[chunks]),
        new ChunkList(ChunkingAlgorithm.Unknown, [.. Enumerable.Repeat(Digest.Of(DigestFunction.Sha256, new byte[1]), chunks)]));

    private static void AssertSame(ChunkList? actual, ChunkList expected)
    {
        Assert.That(actual?.Algorithm, Is.EqualTo(expected.Algorithm));
        Assert.That(actual!.Chunks, Is.EqualTo(expected.Chunks));
    }

    [TestCase(DigestFunction.Sha256)]
    [TestCase(DigestFunction.Blake3)]
    [TestCase(DigestFunction.Sha512)]
    public void A_list_survives_a_restart(DigestFunction function)
    {
        var (blob, list) = Some(1, 7, function);
        using (var lists = Open()) lists.Add(blob, list);

        using var again = Open();
        AssertSame(again.Find(blob, _ => true), list);
        Assert.That(again.Find(Some(2, 3).Blob, _ => true), Is.Null);
    }

    [Test]
    public void A_later_list_replaces_an_earlier_one()
    {
        var (blob, list) = Some(1, 4);
        var other = new ChunkList(ChunkingAlgorithm.RepMaxCdc, [blob]);
        using (var lists = Open())
        {
            lists.Add(blob, list);
            lists.Add(blob, other);
            lists.Remove(blob, list); // what a reader of the earlier one found out says nothing of this
            AssertSame(lists.Find(blob, _ => true), other);
        }

        using var again = Open();
        AssertSame(again.Find(blob, _ => true), other);
        Assert.That(again.Count, Is.EqualTo(1));
    }

    [Test]
    public void A_blob_may_be_cut_in_several_ways()
    {
        var (blob, list) = Some(1, 4);
        var other = new ChunkList(ChunkingAlgorithm.FastCdc2020, [blob]);
        using (var lists = Open())
        {
            lists.Add(blob, list);
            lists.Add(blob, other);
        }

        using var again = Open();
        AssertSame(again.Find(blob, found => found.Algorithm == ChunkingAlgorithm.RepMaxCdc), list);
        AssertSame(again.Find(blob, _ => true), other);
        again.Remove(blob, again.Find(blob, _ => true)!);
        AssertSame(again.Find(blob, _ => true), list);
    }

    [Test]
    public void Parts_of_a_whole_are_found_in_it_also_after_a_restart()
    {
        var (blob, list) = Some(1, 4);
        var (other, otherList) = Some(2, 4);
        using (var lists = Open())
        {
            lists.Add(blob, list with { IsOfWhole = true });
            lists.Add(other, otherList);
        }

        using var again = Open();
        Assert.That(again.FindPlace(list.Chunks[2]), Is.EqualTo(new ChunkPlace(blob, 10 + 11)));
        Assert.That(again.FindPlace(otherList.Chunks[2]), Is.Null, "these are blobs of their own");
        again.Remove(blob, again.Find(blob, _ => true)!);
        Assert.That(again.FindPlace(list.Chunks[2]), Is.Null);
    }

    [Test]
    public void What_was_torn_or_damaged_costs_itself_alone()
    {
        var (first, second, third) = (Some(1, 4), Some(2, 4), Some(3, 4));
        using (var lists = Open())
        {
            foreach (var (blob, list) in (ReadOnlySpan<(Digest, ChunkList)>)[first, second, third]) lists.Add(blob, list);
        }

        byte[] log = File.ReadAllBytes(Log);
        log[log.Length / 2] ^= 1;
        File.WriteAllBytes(Log, log[..^3]);

        using var again = Open();
        AssertSame(again.Find(first.Blob, _ => true), first.List);
        Assert.That((again.Find(second.Blob, _ => true), again.Find(third.Blob, _ => true)), Is.EqualTo(((ChunkList?)null, (ChunkList?)null)));
        again.Add(third.Blob, third.List);
        AssertSame(again.Find(third.Blob, _ => true), third.List);
    }

    [Test]
    public void A_start_writes_nothing_and_what_is_no_log_is_none()
    {
        using (Open()) Assert.That(Directory.Exists(_scratch.Sub("chunks")), Is.False);
        Directory.CreateDirectory(_scratch.Sub("chunks"));
        File.WriteAllText(Log, "somebody wrote here");

        var (blob, list) = Some(1, 3);
        using (var lists = Open())
        {
            Assert.That(lists.Count, Is.Zero);
            lists.Add(blob, list);
        }

        using var again = Open();
        AssertSame(again.Find(blob, _ => true), list);
    }

    [Test]
    public void Lists_behind_a_bad_sector_are_lost_and_the_others_are_not()
    {
        // Each is read by itself.
        var (first, second) = (Ones(30_000), Ones(30_001));
        using (var lists = Open(chunksMax: 100_000))
        {
            lists.Add(first.Blob, first.List);
            lists.Add(second.Blob, second.List);
        }

        long length = new FileInfo(Log).Length;
        using var again = Open(chunksMax: 100_000, disk: new FaultyDisk { ReadFault = Errno.EIO, ReadFaultFrom = length - 10 });

        AssertSame(again.Find(first.Blob, _ => true), first.List);
        Assert.That(again.Find(second.Blob, _ => true), Is.Null);
    }

    [Test]
    public void What_was_used_lately_does_not_give_way_to_another() // DESIGN D4
    {
        using var lists = Open(chunksMax: 10);
        var (old, used, late) = (Some(1, 5), Some(2, 5), Some(3, 5));
        lists.Add(old.Blob, old.List);
        lists.Add(used.Blob, used.List);
        _time.Advance(TimeSpan.FromHours(3));
        lists.Find(used.Blob, _ => true);

        Assert.That(() => lists.Add(late.Blob, late.List), Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.ResourceExhausted));
        _time.Advance(TimeSpan.FromHours(2));
        lists.Add(late.Blob, late.List);

        Assert.That(lists.Find(old.Blob, _ => true), Is.Null);
        AssertSame(lists.Find(used.Blob, _ => true), used.List);
        AssertSame(lists.Find(late.Blob, _ => true), late.List);
    }

    [Test]
    public void A_failed_flush_is_a_failure_and_so_is_all_that_follows()
    {
        var disk = new FaultyDisk();
        using var lists = Open(disk: disk);
        lists.Add(Some(2, 3).Blob, Some(2, 3).List);
        var (blob, list) = Some(1, 3);
        disk.FlushFault = Errno.EIO;

        Assert.That(() => lists.Add(blob, list), Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
        disk.FlushFault = 0;
        Assert.That(() => lists.Add(blob, list), Throws.InstanceOf<RpcException>());

        Assert.That(lists.Find(blob, _ => true), Is.Null);
    }

    [Test]
    public void The_log_is_written_anew_when_most_of_it_does_not_count()
    {
        using (var lists = Open(chunksMax: 100_000))
        {
            // Each takes 400 kB.
            for (int i = 0; i < 30; i++) lists.Add(Ones(10_000).Blob, Ones(10_000).List);
        }

        Assert.That(new FileInfo(Log).Length, Is.LessThan(6 << 20));
        using var again = Open(chunksMax: 100_000);
        Assert.That(again.Count, Is.EqualTo(1));
        Assert.That(Directory.GetFiles(_scratch.Sub("chunks")), Is.EqualTo(new[] { Log }));
    }
}
