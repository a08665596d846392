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

    private ChunkLists Open(int chunksMax = 100, IDisk? disk = null, Func<Digest, TimeSpan?>? unusedFor = null) => ChunkLists.Open(
        new ChunkListsOptions { Directory = _scratch.Sub("chunks"), Retention = TimeSpan.FromHours(4), ChunksMax = chunksMax, Disk = disk, UnusedFor = unusedFor }, _time);

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
        var all = Enumerable.Range(1, 4).Select(seed => Some(seed, 4)).ToArray();
        using (var lists = Open())
        {
            foreach (var (blob, list) in all) lists.Add(blob, list);
        }

        byte[] log = File.ReadAllBytes(Log);
        int frame = ChunkListFormat.FrameBytes(all[0].Blob, all[0].List);
        log[log.Length - (3 * frame) + (frame / 2)] ^= 1; // of the second
        File.WriteAllBytes(Log, log[..^3]); // and the last is torn

        using var again = Open();
        AssertSame(again.Find(all[0].Blob, _ => true), all[0].List);
        Assert.That(again.Find(all[1].Blob, _ => true), Is.Null);
        AssertSame(again.Find(all[2].Blob, _ => true), all[2].List);
        Assert.That(again.Find(all[3].Blob, _ => true), Is.Null);
        again.Add(all[3].Blob, all[3].List);
        AssertSame(again.Find(all[3].Blob, _ => true), all[3].List);
    }

    [Test]
    public void After_a_restart_lists_are_as_old_as_what_they_consist_of()
    {
        var (old, young, lost) = (Some(1, 5), Some(2, 5), Some(3, 2));
        using (var lists = Open(chunksMax: 12))
        {
            foreach (var (blob, list) in (ReadOnlySpan<(Digest, ChunkList)>)[young, old, lost]) lists.Add(blob, list);
        }

        using var again = Open(chunksMax: 12, unusedFor: chunk =>
            lost.List.Chunks[1] == chunk ? null : TimeSpan.FromHours(old.List.Chunks[3] == chunk ? 5 : 1));
        Assert.That(again.Count, Is.EqualTo(2), "what has lost a chunk is worth nothing");

        again.Add(Some(4, 5).Blob, Some(4, 5).List);
        Assert.That(again.Find(old.Blob, _ => true), Is.Null);
        AssertSame(again.Find(young.Blob, _ => true), young.List);
        Assert.That(() => again.Add(Some(5, 5).Blob, Some(5, 5).List), Throws.InstanceOf<RpcException>());
    }

    [Test]
    public void A_part_of_two_is_found_in_the_one_that_was_asked_for_last()
    {
        var ((first, list), (second, other)) = (Some(1, 4), Some(2, 4));
        var shared = list.Chunks[0];
        using var lists = Open();
        lists.Add(first, list with { IsOfWhole = true });
        // It begins with the chunk that the other begins with.
        lists.Add(second, new ChunkList(ChunkingAlgorithm.RepMaxCdc, [shared, .. other.Chunks.Skip(1)]) { IsOfWhole = true });
        Assert.That(lists.FindPlace(shared)?.Blob, Is.EqualTo(second));

        lists.Find(first, _ => true);
        lists.Remove(second, lists.Find(second, _ => true)!);

        lists.Find(first, _ => true);
        Assert.That(lists.FindPlace(shared), Is.EqualTo(new ChunkPlace(first, 0)));
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
        Assert.That(File.ReadAllText(Log + ".bad"), Is.EqualTo("somebody wrote here"), "for whoever wants to know");
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
    public void Where_the_name_of_a_log_that_was_written_anew_may_be_lost_nothing_is_acknowledged()
    {
        var disk = new FaultyDisk { FaultyFile = "chunks" }; // the directory alone
        using var lists = Open(chunksMax: 100_000, disk: disk);
        lists.Add(Ones(10_000).Blob, Ones(10_000).List);
        disk.FlushFault = Errno.EIO;

        Assert.That(
            () => { for (int i = 0; i < 30; i++) lists.Add(Ones(10_000).Blob, Ones(10_000).List); },
            Throws.InstanceOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
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
