using System.Text;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

public sealed class UseLogTests
{
    private static readonly TimeSpan Granularity = TimeSpan.FromMinutes(10);

    private readonly List<Exception> _refusals = [];
    private ManualTime _time = null!;
    private Scratch _scratch = null!;
    private Mount _mount = null!;

    private string LogPath => Path.Combine(_mount.Path, "uses");

    [SetUp]
    public void MountDisk()
    {
        _refusals.Clear();
        _time = new ManualTime();
        _scratch = new Scratch();
        _mount = Mount.Tmpfs(_scratch.Sub("disk"), "size=4m");
    }

    [TearDown]
    public void Unmount()
    {
        _mount.Dispose();
        _scratch.Dispose();
    }

    [Test]
    public void A_file_is_as_it_always_was()
    {
        // frame: payload length (4) | CRC-32C of payload (4) | payload; the first one is the boot id, a closing one 0xFF;
        // the second since uses have a clock of their own: 0xFE | wall, that clock (Unix ms, 8 each), monotonic clock (ms, 8);
        // record: function (1) | hash | size (8) | use, Unix ms (8)
        var (first, second) = (Digest.Of(DigestFunction.Sha256, "a"u8), Digest.Of(DigestFunction.Blake3, "bc"u8));
        byte[] boot = Encoding.ASCII.GetBytes(File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim());
        byte[] records = [.. Record(first, 1000), .. Record(second, 2000)];
        byte[] file = [.. Frame(boot), .. Frame(records), .. Frame(Record(first, 1500))];

        File.WriteAllBytes(LogPath, file);
        var (killed, killedUses) = (Read(), ReadUses());
        File.WriteAllBytes(LogPath, [.. file, .. Frame([0xFF])]);
        var (closed, closedUses) = (Read(), ReadUses());

        var uses = new UseDictionary { [first] = 1500, [second] = 2000 };
        Assert.That((killedUses, killed.Ending), Is.EqualTo((uses, UseLogEnding.Killed)));
        Assert.That((closedUses, closed.Ending), Is.EqualTo((uses, UseLogEnding.Closed)));
        Assert.That((killed.Clock, closed.Clock), Is.EqualTo(((ClockReading?)null, (ClockReading?)null)), "a log without one is as good as ever");

        File.WriteAllBytes(LogPath, []);
        using var log = OpenLog();
        var index = IndexOf(log);
        Restore(index, 1500, first);
        Assert.That(log.TryRewrite(index), Is.True);
        long nowMs = _time.GetUtcNow().ToUnixTimeMilliseconds();
        byte[] clock = [0xFE, .. BitConverter.GetBytes(nowMs), .. BitConverter.GetBytes(nowMs), .. BitConverter.GetBytes(_time.GetTimestamp() / TimeSpan.TicksPerMillisecond)];
        Assert.That(File.ReadAllBytes(LogPath), Is.EqualTo((byte[])[.. Frame(boot), .. Frame(clock), .. Frame(Record(first, 1500))]));
        log.Close(index);
        Assert.That(File.ReadAllBytes(LogPath)[^9..], Is.EqualTo(Frame([0xFF])));

        static byte[] Frame(byte[] payload) => [.. BitConverter.GetBytes(payload.Length), .. BitConverter.GetBytes(Crc32C.Of(payload)), .. payload];
        static byte[] Record(Digest digest, long useMs) =>
            [(byte)digest.Function, .. Convert.FromHexString(digest.Hash), .. BitConverter.GetBytes(digest.SizeBytes), .. BitConverter.GetBytes(useMs)];
    }

    [Test]
    public void A_torn_tail_of_this_boot_is_a_kill_and_of_another_renews_every_promise()
    {
        using (var log = OpenLog())
        {
            Assert.That(log.TryRewrite(IndexOf(log)), Is.True);
            log.Record(DigestOf(1), 1000);
            log.Flush();
        }

        byte[] whole = File.ReadAllBytes(LogPath);
        File.WriteAllBytes(LogPath, [.. whole, .. whole[^20..]]);
        Assert.That(Read(), Has.Property("Ending").EqualTo(UseLogEnding.Killed).And.Property("EndBytes").EqualTo(whole.Length));

        UseRecords.NoBoot.CopyTo(whole, 0);
        File.WriteAllBytes(LogPath, whole);
        Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Unknown));
        Assert.That(ReadUses(), Contains.Key(DigestOf(1)), "the order is kept");
    }

    [Test]
    public void Uses_that_find_no_room_are_kept_and_until_they_are_written_a_restart_renews_every_promise()
    {
        using var log = OpenLog();
        Assert.That(log.TryRewrite(IndexOf(log)), Is.True);
        _mount.Fill();
        for (int i = 0; i < 1000; i++)
        {
            // Several callers; whoever comes second takes nothing of the first away.
            log.Record(DigestOf(i), 5000 + i);
            log.Flush();
        }

        Assert.That(_refusals, Is.Not.Empty.And.All.InstanceOf<IOException>());
        Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Unknown));
        Assert.That(log.WantsRewrite, Is.False, "nothing is lost");

        _mount.Empty();
        log.Flush();
        var history = Read();
        Assert.That(history.Ending, Is.EqualTo(UseLogEnding.Killed));
        Assert.That(ReadUses(), Is.EqualTo(Enumerable.Range(0, 1000).ToDictionary(DigestOf, i => 5000L + i)));
    }

    [Test]
    public void A_log_that_lost_uses_says_so_until_it_is_written_anew()
    {
        using var log = OpenLog();
        var index = IndexOf(log);
        Assert.That(log.TryRewrite(index), Is.True);
        _mount.Fill();
        int uses = (2 << 20) / 49;
        for (int i = 0; i < uses; i++)
        {
            index.Reserve(10, _time.GetUtcNow(), _ => { });
            index.Add(DigestOf(i), default, BlobFileKinds.Executable, 10, _time.GetUtcNow());
        }

        Assert.That(log.WantsRewrite, Is.True);
        Assert.That(log.TryRewrite(index), Is.False);
        Assert.That(log.WantsRewrite, Is.False, "not at every request");
        _mount.Empty();
        log.Flush();
        Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Unknown));

        _time.Advance(TimeSpan.FromMinutes(1));
        Assert.That(log.WantsRewrite, Is.True);
        Assert.That(log.TryRewrite(index), Is.True);
        Assert.That(log.WantsRewrite, Is.False);
        Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Killed));
        Assert.That(ReadUses(), Has.Count.EqualTo(uses));
        Assert.That(Directory.GetFiles(_mount.Path), Is.EqualTo(new[] { LogPath }));
    }

    [Test]
    public void A_rewrite_that_finds_no_room_leaves_the_log_as_it_is_and_no_file()
    {
        using var log = OpenLog();
        var index = IndexOf(log);
        Assert.That(log.TryRewrite(index), Is.True);
        Restore(index, 0, [.. Enumerable.Range(0, 3000).Select(DigestOf)]);
        log.Record(DigestOf(1), 1000);
        log.Flush();
        _mount.Fill();
        _mount.Free(4 * 4096);

        Assert.That(log.TryRewrite(index), Is.False);

        Assert.That(Directory.GetFiles(_mount.Path, "*" + FramedLog.UnfinishedSuffix), Is.Empty);
        Assert.That((Read().Ending, ReadUses().Count), Is.EqualTo((UseLogEnding.Killed, 1)));
        log.Record(DigestOf(2), 1000);
        log.Flush();
        Assert.That(ReadUses(), Has.Count.EqualTo(2));
    }

    [TestCase(true)]
    [TestCase(false)]
    public void On_a_full_disk_the_log_of_the_last_run_goes_on(bool wasClosed)
    {
        using (var log = OpenLog())
        {
            var index = IndexOf(log);
            Restore(index, 1000, DigestOf(1));
            Assert.That(log.TryRewrite(index), Is.True);
            if (wasClosed) log.Close(index);
        }

        _mount.Fill();
        using (var log = OpenLog())
        {
            Assert.That(log.TryRewrite(IndexOf(log)), Is.False);
            Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Killed), "what is used from now on is not in it yet");
            for (int i = 0; i < 1000; i++)
            {
                log.Record(DigestOf(i), 5000);
                log.Flush();
            }

            Assert.That(Read().Ending, Is.EqualTo(UseLogEnding.Unknown));
            _mount.Empty();
            log.Flush();
        }

        Assert.That((Read().Ending, ReadUses().Count), Is.EqualTo((UseLogEnding.Killed, 1000)));
    }

    [Test]
    public void A_log_that_the_disk_cannot_give_back_renews_every_promise()
    {
        using (var log = OpenLog()) Assert.That(log.TryRewrite(IndexOf(log)), Is.True);

        Assert.That(UseRecords.Read(LogPath, new FaultyDisk { ReadFault = Errno.EIO }, new UseDictionary()).Ending, Is.EqualTo(UseLogEnding.Unknown));
    }

    private static Digest DigestOf(int number) => Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(number));

    private UseHistory Read() => UseRecords.Read(LogPath, new Disk(), new UseDictionary());

    private UseDictionary ReadUses() => UseDictionary.Read(LogPath);

    private UseLog OpenLog() => UseLog.Open(LogPath, Read(), new Disk(), new SteadyTime(_time), _refusals.Add);

    private static BlobIndex IndexOf(UseLog log) => new(long.MaxValue / 2, TimeSpan.FromHours(4), Granularity, log);

    private void Restore(BlobIndex index, long useMs, params Digest[] digests)
    {
        var restart = index.Restart();
        foreach (var digest in digests)
        {
            restart.Remember([digest], [useMs]);
            restart.Put([new StoredBlob(digest, default, BlobFileKinds.Executable)]);
        }

        restart.Finish(new UseHistory(UseLogEnding.Closed, IsOfThisBoot: false, Clock: null, EndBytes: 0), TimeSpan.FromHours(4), Granularity, _time.GetUtcNow());
    }
}
