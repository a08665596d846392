using Microsoft.Win32.SafeHandles;
using NUnit.Framework;

namespace RemoteExec.Files.Tests;

/// <summary>One log for three users: with a marker or without, fields in either order, with a head of the record's own or without.</summary>
[TestFixtureSource(nameof(Formats))]
internal sealed class FramedLogTests(FrameFormat format)
{
    private TemporaryFolder _folder = null!;

    public static IEnumerable<TestFixtureData> Formats()
    {
        yield return new TestFixtureData(new FrameFormat { Magic = "RXTEST01", BodyBytesMax = 8 << 20 }).SetArgDisplayNames("marker");
        yield return new TestFixtureData(new FrameFormat { Magic = "RXTEST02", ChecksumFirst = true, UncountedBytes = 5, BodyBytesMax = 8 << 20 })
            .SetArgDisplayNames("marker, own head");
        yield return new TestFixtureData(new FrameFormat { BodyBytesMax = 8 << 20 }).SetArgDisplayNames("no marker");
    }

    private bool HasMarker => format.Magic.Length > 0;

    private string LogPath => _folder.Combine("log");

    [SetUp]
    public void Create() => _folder = new TemporaryFolder();

    [TearDown]
    public void Delete() => _folder.Dispose();

    [Test]
    public void What_was_appended_is_read_in_order_and_by_its_place()
    {
        using var log = Make();
        long[] places = [Append(log, 1), Append(log, 2, bytes: 3_000_000), Append(log, 3)];

        foreach (var opened in (FramedLog[])[log, Open()!])
        {
            Assert.That(Read(opened), Is.EqualTo(new[] { 1, 2, 3 }));
            byte[] frame = new byte[places[1] - places[0]];
            Assert.That(opened.TryRead(places[0], frame), Is.True);
            Assert.That(opened.TryRead(places[0] + 1, frame), Is.False);
            Assert.That(opened.LengthBytes, Is.EqualTo(new FileInfo(LogPath).Length));
        }
    }

    [Test]
    public void A_tail_torn_at_any_byte_costs_the_last_frame_and_can_be_cut()
    {
        long end;
        using (var log = Make())
        {
            Append(log, 1);
            end = Append(log, 2);
        }

        byte[] whole = File.ReadAllBytes(LogPath);
        for (int length = (int)end; length < whole.Length; length++)
        {
            File.WriteAllBytes(LogPath, whole[..length]);
            using var log = Open()!;
            Assert.That(Read(log, out long intact), Is.EqualTo(new[] { 1 }), $"cut at {length}");
            Assert.That(intact, Is.EqualTo(end));

            log.CutAt(intact);
            Append(log, 3);
            Assert.That(Read(log), Is.EqualTo(new[] { 1, 3 }));
        }
    }

    [Test]
    public void A_changed_byte_costs_its_frame_alone_where_the_next_one_can_be_found()
    {
        var ends = new List<long>();
        using (var log = Make())
        {
            for (int i = 0; i < 3; i++)
            {
                Append(log, i);
                ends.Add(log.LengthBytes);
            }
        }

        byte[] whole = File.ReadAllBytes(LogPath);
        for (int at = format.HeaderBytes; at < whole.Length; at++)
        {
            byte[] changed = [.. whole];
            changed[at] ^= (byte)(1 << (at % 8));
            File.WriteAllBytes(LogPath, changed);
            int hit = ends.FindIndex(end => at < end);

            using var log = Open()!;
            Assert.That(Read(log), Is.EqualTo(HasMarker ? Enumerable.Range(0, 3).Where(i => i != hit) : Enumerable.Range(0, hit)), $"byte {at}");
        }
    }

    [Test]
    public void A_frame_behind_damage_is_found_wherever_the_pieces_of_reading_end()
    {
        // The second frame begins around the end of the first piece that is read.
        const int piece = 1 << 20;
        for (int shift = -20; shift <= 20; shift++)
        {
            using (var log = Make())
            {
                Append(log, 1, bytes: piece - (2 * format.HeadBytes) - format.HeaderBytes + shift);
                Append(log, 2);
            }

            using (var file = File.OpenHandle(LogPath, FileMode.Open, FileAccess.Write)) RandomAccess.Write(file, [0xff], format.HeaderBytes + format.HeadBytes);
            using var again = Open()!;
            Assert.That(Read(again), HasMarker ? Is.EqualTo(new[] { 2 }) : Is.Empty, $"{shift}");
        }
    }

    [Test]
    public void Zeros_of_a_write_that_was_lost_are_no_frames()
    {
        using (var log = Make()) Append(log, 1);
        using (var file = File.OpenHandle(LogPath, FileMode.Open, FileAccess.Write)) RandomAccess.SetLength(file, 5000);

        using var again = Open()!;
        Assert.That(Read(again), Is.EqualTo(new[] { 1 }));
    }

    [Test]
    public void What_announces_more_than_there_is_is_not_made_room_for()
    {
        using (var log = Make()) Append(log, 1);
        byte[] frame = Frame(2, 10);
        int length = format.HeadBytes - (format.ChecksumFirst ? 4 : 8);
        BitConverter.TryWriteBytes(frame.AsSpan(length), format.BodyBytesMax - 1);
        using (var log = Open()!) log.Append(frame);

        using var again = Open()!;
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.That(Read(again), Is.EqualTo(new[] { 1 }));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(100_000));
    }

    [Test]
    public void What_was_begun_is_there_whole_or_not_at_all()
    {
        using (var old = Make()) Append(old, 1);
        using (var abandoned = FramedLog.Begin(LogPath, format, new Disk(), isAlone: false)) Append(abandoned, 2);
        Assert.That(_folder.Entries(), Is.EqualTo(new[] { "log" }));

        using var log = FramedLog.Begin(LogPath, format, new Disk(), isAlone: false);
        Append(log, 3);
        using (var old = Open()!) Assert.That(Read(old), Is.EqualTo(new[] { 1 }));
        log.Publish();

        Append(log, 4);
        using var again = Open()!;
        Assert.That(Read(again), Is.EqualTo(new[] { 3, 4 }));
    }

    [Test]
    public void What_found_no_room_is_written_to_the_same_place_when_there_is_some()
    {
        using var mount = Mount.Tmpfs(_folder.Combine("full"), "size=64k");
        string path = Path.Combine(mount.Path, "log");
        using var log = FramedLog.Begin(path, format, new Disk(), isAlone: false);
        log.Publish();
        Append(log, 1);
        long end = log.LengthBytes;

        var full = Assert.Throws<IOException>(() => Append(log, 2, bytes: 100_000));
        Assert.That(Errno.IsOutOfRoom(full!), Is.True);
        Assert.That(log.LengthBytes, Is.EqualTo(end));
        Assert.That(new FileInfo(path).Length, Is.EqualTo(end), "others may need the room");
        using (var next = FramedLog.Begin(path, format, new Disk(), isAlone: false))
            Assert.Throws<IOException>(() => next.Append(Frame(3, 100_000)));

        Append(log, 4);
        Assert.That(Read(log), Is.EqualTo(new[] { 1, 4 }));
    }

    [Test]
    public void A_file_that_is_no_log_is_told_from_one()
    {
        using (var log = Make()) Append(log, 1);
        using (var log = Open(out string? fault)) Assert.That((log is null, fault), Is.EqualTo((false, (string?)null)));
        byte[] whole = File.ReadAllBytes(LogPath);
        for (int at = 0; at < format.HeaderBytes; at++)
        {
            byte[] changed = [.. whole];
            changed[at] ^= 1;
            File.WriteAllBytes(LogPath, changed);
            Assert.That(Open(out string? damaged), Is.Null);
            Assert.That(damaged, Does.Contain(at < 8 ? "does not begin like one" : "damaged header"));

            File.WriteAllBytes(LogPath, whole[..at]);
            Assert.That(Open(out string? cut), Is.Null);
            Assert.That(cut, Is.EqualTo("is too short"));
        }
    }

    [Test]
    public void A_deleted_log_is_there_for_the_reader_that_holds_it()
    {
        var log = Make();
        long place = Append(log, 1, bytes: 1000);
        byte[] frame = new byte[log.LengthBytes - place];
        log.Hold();

        File.Delete(log.Path);
        log.Dispose();

        Assert.That(log.TryRead(place, frame), Is.True);
        log.LetGo();
        Assert.Throws<ObjectDisposedException>(() => log.TryRead(place, frame));
    }

    [Test]
    public void An_unfinished_log_that_cannot_be_deleted_fails_nobody()
    {
        var log = FramedLog.Begin(LogPath, format, new Disk(), isAlone: false);
        // A directory in its place is what unlink(2) refuses root, too.
        File.Delete(LogPath + FramedLog.UnfinishedSuffix);
        Directory.CreateDirectory(LogPath + FramedLog.UnfinishedSuffix);

        Assert.DoesNotThrow(log.Dispose);
        Assert.DoesNotThrow(log.Dispose);
    }

    [Test]
    public void Only_one_has_a_log_that_is_opened_alone()
    {
        using var log = FramedLog.Begin(LogPath, format, new Disk(), isAlone: true);
        log.Publish();

        var held = Assert.Throws<IOException>(() => FramedLog.TryOpen(LogPath, format, new Disk(), isAlone: true, out _));
        Assert.That(held!.HResult, Is.EqualTo(Errno.EAGAIN));
    }

    [Test]
    public void A_log_beyond_two_gigabytes_is_read_to_its_end_in_little_memory()
    {
        const long size = (2L << 30) + (64 << 20);
        using (Make())
        {
        }

        using (var file = File.OpenHandle(LogPath, FileMode.Open, FileAccess.Write)) RandomAccess.SetLength(file, size);
        var disk = new EndlessDisk();
        using var log = FramedLog.TryOpen(LogPath, format, disk, isAlone: false, out _)!;
        // The disk gives the same frame again and again, wherever it is read.
        byte[] frame = Frame(7, (4 << 20) - format.HeadBytes);
        using (var scratch = FramedLog.Begin(_folder.Combine("scratch"), format, new Disk(), isAlone: false)) scratch.Append(frame);
        log.Overwrite(format.HeaderBytes, frame); // with this log's marker
        disk.Frame = frame;
        disk.Start = format.HeaderBytes;

        long before = GC.GetAllocatedBytesForCurrentThread();
        var reader = log.ReadAll();
        int frames = 0;
        while (reader.TryNext(out _, out _)) frames++;

        Assert.That(frames, Is.EqualTo((size - format.HeaderBytes) / frame.Length));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.LessThan(16 << 20));
    }

    private FramedLog Make()
    {
        var log = FramedLog.Begin(LogPath, format, new Disk(), isAlone: false);
        log.Publish();
        return log;
    }

    private FramedLog? Open() => Open(out _);

    private FramedLog? Open(out string? fault) => FramedLog.TryOpen(LogPath, format, new Disk(), isAlone: false, out fault);

    private byte[] Frame(int number, int bytes)
    {
        var buffer = new FrameBuffer(format, 10);
        var body = buffer.GetSpan(bytes)[..bytes];
        body.Fill((byte)number);
        buffer.Advance(bytes);
        return buffer.Seal().ToArray();
    }

    private long Append(FramedLog log, int number, int bytes = 40) => log.Append(Frame(number, bytes));

    private int[] Read(FramedLog log) => Read(log, out _);

    /// <summary>The numbers of the frames, each body full of its number.</summary>
    private int[] Read(FramedLog log, out long end)
    {
        var numbers = new List<int>();
        var reader = log.ReadAll();
        while (reader.TryNext(out _, out var frame))
        {
            var body = frame[format.HeadBytes..];
            Assert.That(body.IndexOfAnyExcept(body[0]), Is.EqualTo(-1));
            numbers.Add(body[0]);
        }

        end = reader.End;
        return [.. numbers];
    }

    /// <summary>Files full of one frame, which no disk need hold.</summary>
    private sealed class EndlessDisk : IDisk
    {
        public byte[] Frame { get; set; } = [];

        public int Start { get; set; }

        public int Flush(SafeFileHandle fileOrDirectory) => 0;

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            if (offset < Start || Frame.Length == 0) return RandomAccess.Read(file, buffer, offset);

            int at = (int)((offset - Start) % Frame.Length);
            int bytes = (int)Math.Min(Math.Min(buffer.Length, Frame.Length - at), RandomAccess.GetLength(file) - offset);
            Frame.AsSpan(at, bytes).CopyTo(buffer);
            return bytes;
        }
    }
}
