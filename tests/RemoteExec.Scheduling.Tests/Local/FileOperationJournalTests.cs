using System.Diagnostics;
using System.Globalization;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Files;
using RemoteExec.Scheduling.Local;

namespace RemoteExec.Scheduling.Tests;

[TestFixture]
internal sealed class FileOperationJournalTests
{
    private string _directory = null!;

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("rexec-journal-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [Test]
    public async Task What_was_appended_is_recovered_in_order()
    {
        var records = EveryKindOfRecord();
        await using (var journal = await OpenAsync())
        {
            foreach (var record in records) await journal.AppendAsync([record], default);
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(records).Using<JournalRecord>(AreEqual));
    }

    [Test]
    public async Task The_directories_of_a_journal_keep_their_names_after_a_loss_of_power()
    {
        var disk = new SpyingDisk();
        string directory = Path.Combine(_directory, "data", "journal");
        await using var journal = new FileOperationJournal(new FileOperationJournalOptions { Directory = directory, Disk = disk });

        await journal.RecoverAsync(default);

        // Before anything is appended, which relies on every name on the way.
        Assert.That(disk.DurableNames, Is.SupersetOf(new[]
        {
            Path.Combine(_directory, "data"), directory, Directory.GetFiles(directory).Single(),
        }));
    }

    [Test]
    public async Task A_journal_whose_directory_may_lose_its_name_is_not_relied_on()
    {
        var disk = new SpyingDisk { Failing = _directory };
        await using var journal = new FileOperationJournal(
            new FileOperationJournalOptions { Directory = Path.Combine(_directory, "journal"), Disk = disk });

        Assert.ThrowsAsync<JournalException>(async () => await journal.RecoverAsync(default));
    }

    [Test]
    public async Task Many_callers_at_once_all_find_their_records()
    {
        await using (var journal = await OpenAsync())
        {
            await Task.WhenAll(Enumerable.Range(0, 500).Select(number =>
                Task.Run(async () => await journal.AppendAsync([JournalVictim.Record(number)], default))));
        }

        Assert.That(
            (await RecoverAsync()).Cast<JournalRecord.OperationForgotten>().Select(record => int.Parse(record.Operation, CultureInfo.InvariantCulture)),
            Is.EquivalentTo(Enumerable.Range(0, 500)));
    }

    [Test]
    public async Task Who_watches_the_flushes_and_throws_does_not_end_them()
    {
        var throwing = new ThrowingObserver();
        await using (var journal = new FileOperationJournal(new FileOperationJournalOptions { Directory = _directory, Observer = throwing }))
        {
            await journal.RecoverAsync(default);
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            await journal.AppendAsync([JournalVictim.Record(2)], default);
            Assert.That(journal.LengthBytes, Is.EqualTo(new FileInfo(Directory.GetFiles(_directory).Single()).Length));
        }

        Assert.That(throwing.Flushes, Is.EqualTo(2));
        Assert.That(await RecoverAsync(), Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_compaction_replaces_what_was_appended_before_it_and_nothing_after()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1), JournalVictim.Record(2)], default);
            var compaction = journal.CompactAsync([JournalVictim.Record(2)], default);
            var later = journal.AppendAsync([JournalVictim.Record(3)], default);
            await compaction;
            await later;
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { JournalVictim.Record(2), JournalVictim.Record(3) }));
        Assert.That(Directory.GetFiles(_directory), Has.Length.EqualTo(1));
    }

    [Test]
    public async Task Compaction_is_wanted_when_enough_is_obsolete()
    {
        await using var journal = await OpenAsync(compactAfterBytes: 1000);
        while (!journal.WantsCompaction) await journal.AppendAsync([JournalVictim.Record(1)], default);
        await journal.CompactAsync([JournalVictim.Record(1)], default);

        Assert.That(journal.WantsCompaction, Is.False);
    }

    [Test]
    public async Task A_tail_torn_at_any_byte_costs_the_last_append_and_nothing_else()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            await journal.AppendAsync([JournalVictim.Record(2), JournalVictim.Record(3)], default);
        }

        string file = Directory.GetFiles(_directory).Single();
        byte[] whole = await File.ReadAllBytesAsync(file);
        int lastFrame = whole.Length - FrameBytes(JournalVictim.Record(2), JournalVictim.Record(3));
        for (int length = lastFrame; length < whole.Length; length++)
        {
            await File.WriteAllBytesAsync(file, whole[..length]);
            await using (var journal = new FileOperationJournal(Options()))
            {
                Assert.That(await journal.RecoverAsync(default), Is.EqualTo(new[] { JournalVictim.Record(1) }), $"cut at {length}");
                Assert.That(journal.LengthBytes, Is.EqualTo(lastFrame));
                await journal.AppendAsync([JournalVictim.Record(4)], default);
            }

            Assert.That(await RecoverAsync(), Is.EqualTo(new[] { JournalVictim.Record(1), JournalVictim.Record(4) }));
        }
    }

    [Test]
    public async Task A_tail_with_any_byte_changed_is_cut_too()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            await journal.AppendAsync([JournalVictim.Record(2)], default);
        }

        string file = Directory.GetFiles(_directory).Single();
        byte[] whole = await File.ReadAllBytesAsync(file);
        for (int at = whole.Length - FrameBytes(JournalVictim.Record(2)); at < whole.Length; at++)
        {
            byte[] changed = [.. whole];
            changed[at] ^= 0x10;
            await File.WriteAllBytesAsync(file, changed);
            Assert.That(await RecoverAsync(), Is.EqualTo(new[] { JournalVictim.Record(1) }), $"changed at {at}");
        }
    }

    [Test]
    public async Task Damage_before_an_intact_frame_is_refused_with_its_place()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            await journal.AppendAsync([JournalVictim.Record(2)], default);
        }

        string file = Directory.GetFiles(_directory).Single();
        byte[] bytes = await File.ReadAllBytesAsync(file);
        bytes[JournalSegments.Format.HeaderBytes + JournalSegments.Format.HeadBytes] ^= 1;
        await File.WriteAllBytesAsync(file, bytes);

        var refusal = Assert.ThrowsAsync<JournalException>(RecoverAsync);
        Assert.That(refusal!.Message, Does.Contain($"{file} is damaged from byte {JournalSegments.Format.HeaderBytes} to "));
        Assert.That(await File.ReadAllBytesAsync(file), Is.EqualTo(bytes), "evidence is left alone");
    }

    [Test]
    public async Task A_file_that_is_no_journal_is_refused()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory, "journal-000000000007.log"), "hello, I am a text file");
        var refusal = Assert.ThrowsAsync<JournalException>(RecoverAsync);
        Assert.That(refusal!.Message, Does.Contain("is not an operation journal"));
    }

    [Test]
    public async Task Leftovers_of_a_crash_during_compaction_are_removed()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            await journal.CompactAsync([JournalVictim.Record(2)], default);
        }

        string live = Directory.GetFiles(_directory).Single();
        File.Copy(live, Path.Combine(_directory, "journal-000000000001.log"));
        await File.WriteAllTextAsync(Path.Combine(_directory, "journal-000000000003.log.tmp"), "half a");

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { JournalVictim.Record(2) }));
        Assert.That(Directory.GetFiles(_directory), Is.EqualTo(new[] { live }));
    }

    [Test]
    public async Task A_second_server_on_the_same_directory_is_refused()
    {
        await using var journal = await OpenAsync();
        var refusal = Assert.ThrowsAsync<JournalException>(async () => await OpenAsync());
        Assert.That(refusal!.Message, Does.Contain("another server"));
    }

    [Test]
    public async Task After_a_failed_flush_nothing_more_is_accepted_and_nobody_waits()
    {
        var disk = new FaultyDisk();
        await using var journal = await OpenAsync(disk: disk);
        await journal.AppendAsync([JournalVictim.Record(1)], default);
        disk.FlushFault = Errno.EIO;

        var refusal = Assert.ThrowsAsync<JournalException>(async () => await journal.AppendAsync([JournalVictim.Record(2)], default));
        Assert.That(refusal!.Message, Does.Contain(_directory).And.Contains("flushing"));
        disk.FlushFault = 0;
        Assert.ThrowsAsync<JournalException>(async () => await journal.AppendAsync([JournalVictim.Record(3)], default));
        Assert.ThrowsAsync<JournalException>(async () => await journal.CompactAsync([], default));
    }

    [Test]
    public async Task What_is_appended_while_a_compaction_is_being_written_waits_for_none_of_it_and_is_kept()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            var halfWay = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var goOn = new ManualResetEventSlim();
            var compaction = journal.CompactAsync(State(), default).AsTask();
            await halfWay.Task;
            await journal.AppendAsync([JournalVictim.Record(3)], default);
            Assert.That(await journal.CompactAsync([], default), Is.False, "one is under way");
            Assert.That((compaction.IsCompleted, journal.WantsCompaction), Is.EqualTo((false, false)));
            goOn.Set();
            Assert.That(await compaction, Is.True);
            await journal.AppendAsync([JournalVictim.Record(4)], default);

            IEnumerable<JournalRecord> State()
            {
                yield return JournalVictim.Record(1);
                halfWay.SetResult();
                goOn.Wait();
                yield return JournalVictim.Record(2);
            }
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { 1, 2, 3, 4 }.Select(JournalVictim.Record)));
    }

    [Test]
    public async Task A_compaction_that_fails_for_whatever_reason_leaves_the_journal_as_it_is()
    {
        var disk = new FaultyDisk();
        var warnings = new List<string>();
        await using (var journal = await OpenAsync(disk: disk, warned: warnings.Add))
        {
            await journal.AppendAsync([JournalVictim.Record(1)], default);
            Assert.That(await journal.CompactAsync(Enumerable.Range(0, 1).Select<int, JournalRecord>(_ => throw new InvalidTimeZoneException("odd")), default), Is.False);
            Assert.That(warnings.Single(), Does.Contain("odd").And.Contains(_directory));

            disk.FlushFault = Errno.EIO;
            disk.FaultyFile = FramedLog.UnfinishedSuffix;
            Assert.That(await journal.CompactAsync([], default), Is.False, "the flush of the new file");
            Assert.That(warnings, Has.Count.EqualTo(2));

            Assert.That(Directory.GetFiles(_directory), Has.Length.EqualTo(1));
            await journal.AppendAsync([JournalVictim.Record(2)], default);
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { 1, 2 }.Select(JournalVictim.Record)));
    }

    [Test]
    public async Task A_record_that_cannot_be_written_takes_nothing_with_it()
    {
        await using (var journal = await OpenAsync())
        {
            var first = journal.AppendAsync([JournalVictim.Record(1)], default);
            Assert.Throws<ArgumentNullException>(
                () => journal.AppendAsync([JournalVictim.Record(7), new JournalRecord.ExecutionLeased(default, 1, null!, Build.Start)], default).AsTask());
            var last = journal.AppendAsync([JournalVictim.Record(2)], default);
            await first;
            await last;
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { 1, 2 }.Select(JournalVictim.Record)));
    }

    [Test]
    public async Task A_compaction_whose_name_may_not_last_is_the_end_of_the_journal()
    {
        // Whichever of the two files a restart found, the other might have what was appended since.
        var disk = new FaultyDisk();
        await using var journal = await OpenAsync(disk: disk);
        disk.FlushFault = Errno.EIO;
        disk.FaultyFile = _directory;

        Assert.That(await journal.CompactAsync([], default), Is.False);
        Assert.ThrowsAsync<JournalException>(async () => await journal.AppendAsync([JournalVictim.Record(1)], default));
    }

    [Test]
    public async Task An_old_file_that_cannot_be_removed_is_a_warning_and_tried_again_later()
    {
        var warnings = new List<string>();
        await using var journal = await OpenAsync(warned: warnings.Add);
        string old = Directory.GetFiles(_directory).Single();
        // A directory has its name when it is to be removed: not even root removes that like a file.
        File.Move(old, old + ".aside");
        Directory.CreateDirectory(old);

        Assert.That(await journal.CompactAsync([JournalVictim.Record(1)], default), Is.True);
        await journal.AppendAsync([JournalVictim.Record(2)], default);
        Assert.That(warnings.Single(), Does.Contain(old));

        Directory.Delete(old);
        File.Move(old + ".aside", old);
        Assert.That(await journal.CompactAsync([JournalVictim.Record(1), JournalVictim.Record(2)], default), Is.True);
        Assert.That((warnings.Count, File.Exists(old)), Is.EqualTo((1, false)));
    }

    [Test]
    public async Task Who_is_warned_and_throws_stops_nothing()
    {
        var disk = new FaultyDisk { FaultyFile = FramedLog.UnfinishedSuffix };
        await using var journal = await OpenAsync(disk: disk, warned: _ => throw new InvalidTimeZoneException("odd"));
        disk.FlushFault = Errno.EIO;

        Assert.That(await journal.CompactAsync([], default), Is.False);
        await journal.AppendAsync([JournalVictim.Record(1)], default);
    }

    [Test]
    public async Task A_file_is_as_it_always_was()
    {
        // header "RXJOURN1" (8) | marker (8) | crc of both (4); frame marker (8) | length (4) | crc of length and payload (4) | payload
        byte[] marker = [1, 2, 3, 4, 5, 6, 7, 8];
        byte[] header = [.. "RXJOURN1"u8, .. marker];
        byte[] payload = Payload(JournalVictim.Record(1), JournalVictim.Record(2));
        byte[] length = BitConverter.GetBytes(payload.Length);
        byte[] file =
        [
            .. header, .. BitConverter.GetBytes(Crc32C.Of(header)),
            .. marker, .. length, .. BitConverter.GetBytes(Crc32C.Of([.. length, .. payload])), .. payload,
        ];
        string path = Path.Combine(_directory, "journal-000000000042.log");
        await File.WriteAllBytesAsync(path, file);
        await using (var journal = new FileOperationJournal(Options()))
        {
            Assert.That(await journal.RecoverAsync(default), Is.EqualTo(new[] { JournalVictim.Record(1), JournalVictim.Record(2) }));
            await journal.AppendAsync([JournalVictim.Record(1), JournalVictim.Record(2)], default);
        }

        Assert.That(await File.ReadAllBytesAsync(path), Is.EqualTo((byte[])[.. file, .. file.AsSpan(20)]));
    }

    [Test]
    public async Task Ten_thousand_queued_operations_are_recovered_and_served()
    {
        await using (var journal = new FileOperationJournal(Options()))
        {
            await using var before = new Scheduler(new SchedulerOptions(), journal, TimeProvider.System);
            await before.StartAsync(default);
            await Task.WhenAll(Enumerable.Range(0, 10_000).Select(async number =>
            {
                using var feed = await before.SubmitAsync(Build.Request(number), default);
            }));
        }

        var clock = Stopwatch.StartNew();
        await using var recovered = new FileOperationJournal(Options());
        await using var after = new Scheduler(new SchedulerOptions(), recovered, TimeProvider.System);
        await after.StartAsync(default);
        TestContext.Out.WriteLine($"recovered in {clock.ElapsedMilliseconds} ms");

        Assert.That(after.Snapshot().Queued, Is.EqualTo(10_000));
        Assert.That(after.List(), Has.Count.EqualTo(10_000));
    }

    [Test]
    public async Task What_a_killed_process_had_acknowledged_is_there()
    {
        // Each round kills at another moment and goes on with what it left.
        int seen = 0;
        for (int round = 0; round < 4; round++)
        {
            string directory = Path.Combine(_directory, round.ToString(CultureInfo.InvariantCulture));
            var acknowledged = await RunVictimAsync(directory, acknowledgements: 200 + (round * 317));
            await using var journal = new FileOperationJournal(Options() with { Directory = directory });
            var recovered = await journal.RecoverAsync(default);

            var counts = recovered.Cast<JournalRecord.OperationForgotten>().CountBy(record => record.Operation).ToDictionary();
            Assert.That(counts.Values, Is.All.EqualTo(2), "an append is there whole or not at all");
            Assert.That(acknowledged.Where(number => !counts.ContainsKey(number)), Is.Empty);
            seen += acknowledged.Count;
        }

        Assert.That(seen, Is.GreaterThan(2000));
    }

    private static async Task<List<string>> RunVictimAsync(string directory, int acknowledgements)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet")
        {
            ArgumentList = { typeof(JournalVictim).Assembly.Location, directory },
            RedirectStandardOutput = true,
        };
        using var victim = Process.Start(start)!;
        var acknowledged = new List<string>();
        while (await victim.StandardOutput.ReadLineAsync() is { } line)
        {
            acknowledged.Add(int.Parse(line, CultureInfo.InvariantCulture).ToString("d8", CultureInfo.InvariantCulture));
            // SIGKILL. What is still in the pipe was acknowledged too, so the loop goes on to its end.
            if (acknowledged.Count == acknowledgements) victim.Kill();
        }

        await victim.WaitForExitAsync();
        return acknowledged;
    }

    private static int FrameBytes(params JournalRecord[] records) => JournalSegments.Format.HeadBytes + Payload(records).Length;

    private static byte[] Payload(params JournalRecord[] records)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        foreach (var record in records) JournalCodec.Write(record, buffer);
        return buffer.WrittenSpan.ToArray();
    }

    private FileOperationJournalOptions Options(long compactAfterBytes = 1 << 20) =>
        new() { Directory = _directory, CompactAfterBytes = compactAfterBytes };

    private async Task<FileOperationJournal> OpenAsync(long compactAfterBytes = 1 << 20, IDisk? disk = null, Action<string>? warned = null)
    {
        var journal = new FileOperationJournal(Options(compactAfterBytes) with { Disk = disk ?? new Disk(), Warned = warned });
        await journal.RecoverAsync(default);
        return journal;
    }

    private async Task<IReadOnlyList<JournalRecord>> RecoverAsync()
    {
        await using var journal = new FileOperationJournal(Options());
        return await journal.RecoverAsync(default);
    }

    private static JournalRecord[] EveryKindOfRecord()
    {
        var id = new ExecutionId(UInt128.MaxValue - 5);
        var request = Build.Request(1, "OSFamily=linux", "ISA=x86-64") with
        {
            Action = Digest.Of(DigestFunction.Blake3, "abc"u8),
            Priority = -7,
            SkipCacheLookup = true,
            DoNotCache = true,
            CommandLine = "gcc -c größe.c",
            Origin = new RequestOrigin
            {
                ToolName = "bazel",
                ToolInvocationId = "i",
                CorrelatedInvocationsId = "c",
                TargetId = "//a:b",
                ActionMnemonic = "CppCompile",
                RequestMetadata = new byte[] { 1, 2, 3 },
            },
        };
        return
        [
            new JournalRecord.ExecutionCreated(id, request, Build.Start),
            new JournalRecord.OperationCreated("operations/a", id, null, Build.Start),
            new JournalRecord.OperationCreated("operations/b", id, request with { Priority = int.MinValue }, Build.Start),
            new JournalRecord.ExecutionLeased(id, int.MaxValue, "w1", Build.Start.AddTicks(1)),
            new JournalRecord.ExecutionRequeued(id, 3, 2, "silent", Build.Start),
            new JournalRecord.ExecutionCompleted(id, Build.Ok("response") with { Message = "m", ExitCode = -9 }, Build.Start),
            new JournalRecord.ExecutionCompleted(id, Build.Broken() with { ExitCode = null }, Build.Start),
            new JournalRecord.OperationEnded("operations/b", Build.Ok(""), Build.Start),
            new JournalRecord.OperationForgotten("operations/a"),
        ];
    }

    /// <summary>As bytes: records hold memory, which compares by place and not by content.</summary>
    private static bool AreEqual(JournalRecord left, JournalRecord right)
    {
        var (leftBytes, rightBytes) = (new System.Buffers.ArrayBufferWriter<byte>(), new System.Buffers.ArrayBufferWriter<byte>());
        JournalCodec.Write(left, leftBytes);
        JournalCodec.Write(right, rightBytes);
        return leftBytes.WrittenSpan.SequenceEqual(rightBytes.WrittenSpan) && left.ToString() == right.ToString();
    }

    private sealed class ThrowingObserver : IJournalObserver
    {
        public int Flushes { get; private set; }

        public void Flushed(TimeSpan duration)
        {
            Flushes++;
            throw new TimeZoneNotFoundException();
        }
    }
}
