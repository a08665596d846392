using Microsoft.Win32.SafeHandles;
using NUnit.Framework;
using RemoteExec.Files;
using RemoteExec.Scheduling.Local;

namespace RemoteExec.Scheduling.Tests;

/// <summary>A disk that gives back other bytes, keeps what is to be removed, or does not answer.</summary>
[TestFixture]
internal sealed class OddDiskJournalTests
{
    private string _directory = null!;

    [SetUp]
    public void SetUp() => _directory = Directory.CreateTempSubdirectory("rexec-journal-").FullName;

    [TearDown]
    public void TearDown() => Directory.Delete(_directory, recursive: true);

    [TestCase(0, Description = "what follows would be taken for all")]
    [TestCase(1, Description = "nothing follows")]
    public async Task A_compaction_does_not_pass_over_damage_in_what_it_copies(int damaged)
    {
        var disk = new ForgetfulDisk();
        var warnings = new List<string>();
        await using var journal = await OpenAsync(disk, warnings);
        await journal.AppendAsync([JournalVictim.Record(1)], default);
        var halfWay = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var goOn = new ManualResetEventSlim();
        var compaction = journal.CompactAsync(State(), default).AsTask();
        await halfWay.Task;
        var appended = new long[2];
        for (int i = 0; i < 2; i++)
        {
            appended[i] = journal.LengthBytes;
            await journal.AppendAsync([JournalVictim.Record(i + 2)], default);
        }

        disk.Damaged = appended[damaged] + JournalSegments.Format.HeadBytes;
        goOn.Set();

        Assert.That(await compaction, Is.False);
        Assert.That(warnings.Single(), Does.Contain("damaged"));
        Assert.That(Directory.GetFiles(_directory), Has.Length.EqualTo(1));

        IEnumerable<JournalRecord> State()
        {
            halfWay.SetResult();
            goOn.Wait();
            yield return JournalVictim.Record(1);
        }
    }

    [Test]
    public async Task What_a_compaction_cannot_clean_up_is_a_warning()
    {
        var warnings = new List<string>();
        await using var journal = await OpenAsync(new Disk(), warnings);
        await journal.AppendAsync([JournalVictim.Record(1)], default);

        Assert.That(await journal.CompactAsync(State(), default), Is.False);
        await journal.AppendAsync([JournalVictim.Record(2)], default);
        Assert.That(await journal.CompactAsync([], default), Is.False, "in the place of its file is still something else");
        Assert.That(warnings, Has.Count.GreaterThanOrEqualTo(2));

        // Not even root removes a directory like a file.
        IEnumerable<JournalRecord> State()
        {
            yield return JournalVictim.Record(1);
            string unfinished = Directory.GetFiles(_directory, "*" + FramedLog.UnfinishedSuffix).Single();
            File.Delete(unfinished);
            Directory.CreateDirectory(unfinished);
            throw new InvalidTimeZoneException("odd");
        }
    }

    [Test]
    public async Task A_journal_is_closed_though_its_disk_does_not_answer()
    {
        using var answers = new ManualResetEventSlim(initialState: true);
        var disk = new HangingDisk(answers);
        var time = new ManualTime();
        var journal = new FileOperationJournal(new FileOperationJournalOptions { Directory = _directory, Disk = disk, Time = time });
        await journal.RecoverAsync(default);
        answers.Reset();
        var waiting = journal.AppendAsync([JournalVictim.Record(1)], default).AsTask();
        await disk.Asked;

        var closing = journal.DisposeAsync().AsTask();
        await time.WaitForTimerAsync(TimeSpan.FromSeconds(5));
        time.Advance(TimeSpan.FromSeconds(5));
        await closing.WaitAsync(TimeSpan.FromMinutes(1)); // a hang becomes a failure
        Assert.That(waiting.IsCompleted, Is.False);

        answers.Set();
        await waiting;
    }

    private async Task<FileOperationJournal> OpenAsync(IDisk disk, List<string> warnings)
    {
        var journal = new FileOperationJournal(new FileOperationJournalOptions { Directory = _directory, Disk = disk, Warned = warnings.Add });
        await journal.RecoverAsync(default);
        return journal;
    }

    /// <summary>Gives one byte back as another.</summary>
    private sealed class ForgetfulDisk : IDisk
    {
        private readonly Disk _disk = new();
        private long _damaged = -1;

        /// <summary>Where.</summary>
        public long Damaged
        {
            set => Volatile.Write(ref _damaged, value);
        }

        public int Flush(SafeFileHandle fileOrDirectory) => _disk.Flush(fileOrDirectory);

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset)
        {
            int read = _disk.Read(file, buffer, offset);
            long at = Volatile.Read(ref _damaged) - offset;
            if (at >= 0 && at < read) buffer[(int)at] ^= 0xff;
            return read;
        }
    }

    /// <summary>Flushes only while it answers.</summary>
    private sealed class HangingDisk(ManualResetEventSlim answers) : IDisk
    {
        private readonly Disk _disk = new();
        private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>It is asked, and does not answer.</summary>
        public Task Asked => _asked.Task;

        public int Flush(SafeFileHandle fileOrDirectory)
        {
            if (!answers.IsSet) _asked.TrySetResult();
            answers.Wait();
            return _disk.Flush(fileOrDirectory);
        }

        public int Read(SafeFileHandle file, Span<byte> buffer, long offset) => _disk.Read(file, buffer, offset);
    }
}
