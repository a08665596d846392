using Google.Protobuf;
using RemoteExec.Files;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Assets.Tests;

/// <summary>What is known of addresses, over restarts and crashes.</summary>
public sealed class KnownAssetsTests
{
    private TemporaryFolder _folder = null!;

    private string Log => _folder.Combine("known.log");

    [SetUp]
    public void Open() => _folder = new TemporaryFolder();

    [TearDown]
    public void Close() => _folder.Dispose();

    [Test]
    public void What_was_added_is_there_without_an_orderly_end()
    {
        using var killed = OpenKnown();
        killed.Add(Asset("a", 1));
        killed.Add(Asset("b", 2));
        killed.Add(Asset("a", 3));

        using var next = OpenKnown();

        Assert.That((SizeOf(next, "a"), SizeOf(next, "b"), SizeOf(next, "c")), Is.EqualTo((3, 2, -1)));
    }

    [Test]
    public void A_record_that_was_torn_at_any_byte_takes_no_other_with_it()
    {
        using (var first = OpenKnown()) first.Add(Asset("a", 1));
        long whole = new FileInfo(Log).Length;
        using (var second = OpenKnown()) second.Add(Asset("b", 2));
        byte[] bytes = File.ReadAllBytes(Log);

        for (long length = whole; length < bytes.Length; length++)
        {
            File.WriteAllBytes(Log, bytes[..(int)length]);
            using var known = OpenKnown();
            Assert.That((SizeOf(known, "a"), SizeOf(known, "b")), Is.EqualTo((1, -1)), $"cut at {length}");
            known.Add(Asset("c", 3));
            using var next = OpenKnown();
            Assert.That((SizeOf(next, "a"), SizeOf(next, "c")), Is.EqualTo((1, 3)), $"cut at {length}, and gone on");
        }
    }

    [Test]
    public void A_file_that_is_none_of_ours_is_written_over()
    {
        File.WriteAllText(Log, "something else entirely, and long enough");

        using (var known = OpenKnown()) known.Add(Asset("a", 1));

        using var next = OpenKnown();
        Assert.That(SizeOf(next, "a"), Is.EqualTo(1));
    }

    [Test]
    public void The_longest_unused_goes_first_when_there_are_too_many()
    {
        using var known = OpenKnown(countMax: 2);
        known.Add(Asset("a", 1));
        known.Add(Asset("b", 2));
        known.TryFind(Name("a"), out _);
        known.Add(Asset("c", 3));

        Assert.That((SizeOf(known, "a"), SizeOf(known, "b"), SizeOf(known, "c")), Is.EqualTo((1, -1, 3)));
    }

    [Test]
    public void The_log_stays_small_however_often_the_same_is_added_again()
    {
        using (var known = OpenKnown())
        {
            for (int i = 1; i <= 3000; i++) known.Add(Asset("a", i, padding: 1000));
        }

        Assert.That(new FileInfo(Log).Length, Is.LessThan(2 << 20), "3 MB were added");
        using var next = OpenKnown();
        Assert.That(SizeOf(next, "a"), Is.EqualTo(3000));
    }

    private static ByteString Name(string name) => ByteString.CopyFromUtf8(name);

    private static KnownAsset Asset(string name, long sizeBytes, int padding = 10) =>
        new() { Name = Name(name), Digest = new WireDigest { Hash = new string('0', padding), SizeBytes = sizeBytes } };

    private static long SizeOf(KnownAssets known, string name) => known.TryFind(Name(name), out var found) ? found.Digest.SizeBytes : -1;

    private KnownAssets OpenKnown(int countMax = 100) => KnownAssets.Open(_folder.Path, countMax, 1 << 20, new Disk());
}
