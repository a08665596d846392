using NUnit.Framework;
using RemoteExec.Scheduling.Local;

namespace RemoteExec.Scheduling.Tests;

/// <summary>A journal on a disk of its own, which is full and gets room again.</summary>
[TestFixture]
internal sealed class FullDiskJournalTests
{
    // Far beyond any retry; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    private TaskCompletionSource<string> _stalled = new();
    private TaskCompletionSource _goesOn = new();
    private string _directory = "";
    private Mount _disk = null!;

    private string Journal => Path.Combine(_directory, "journal");

    [SetUp]
    public void MountDisk()
    {
        _directory = Directory.CreateTempSubdirectory("rexec-full-disk-").FullName;
        _disk = Mount.Tmpfs(_directory, "size=1m");
        _stalled = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
        _goesOn = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
    }

    [TearDown]
    public void Unmount()
    {
        _disk.Dispose();
        Directory.Delete(_directory);
    }

    [Test]
    public async Task An_append_waits_for_room_and_is_durable_when_it_returns()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([Record(1)], default);
            _disk.Fill();

            var waiting = journal.AppendAsync([Record(2)], default).AsTask();
            string reason = await _stalled.Task.WaitAsync(Within);
            Assert.That(reason, Does.Contain("full").And.Contains(Journal).And.Contains("free some space"));
            Assert.That(waiting.IsCompleted, Is.False);

            _disk.Empty();
            await waiting.WaitAsync(Within);
            await _goesOn.Task.WaitAsync(Within);
            await journal.AppendAsync([Record(3)], default);
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { Record(1), Record(2), Record(3) }));
    }

    [Test]
    public async Task A_compaction_that_finds_no_room_stops_nothing_and_keeps_no_room()
    {
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([Record(1)], default);
            _disk.Fill();
            _disk.Free(4 * 4096); // for an append, and not for the state

            Assert.That(await journal.CompactAsync([Record(1), .. Enumerable.Repeat(Record(9), 10)], default), Is.False);
            Assert.That(Directory.GetFiles(Journal), Has.Length.EqualTo(1));
            await journal.AppendAsync([Record(2)], default);
            Assert.That(_stalled.Task.IsCompleted, Is.False);

            _disk.Empty();
            Assert.That(await journal.CompactAsync([Record(1), Record(2)], default), Is.True);
            await journal.AppendAsync([Record(3)], default);
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { Record(1), Record(2), Record(3) }));
    }

    [Test]
    public async Task A_compaction_gives_the_room_that_it_has_taken_to_an_append_that_needs_it()
    {
        Mount.Run("mount", "-o", "remount,size=4m", _directory);
        await using (var journal = await OpenAsync())
        {
            await journal.AppendAsync([Record(1)], default);
            var halfWay = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            using var goOn = new ManualResetEventSlim();
            var compaction = journal.CompactAsync(State(), default).AsTask();
            await halfWay.Task.WaitAsync(Within);
            _disk.Fill();
            var appended = journal.AppendAsync([Record(2)], default).AsTask();
            goOn.Set();

            await appended.WaitAsync(Within);
            Assert.That(await compaction, Is.False);
            Assert.That(_stalled.Task.IsCompleted, Is.False, "it had room");

            IEnumerable<JournalRecord> State()
            {
                foreach (var record in Enumerable.Repeat(Record(9), 150)) yield return record;
                halfWay.SetResult();
                goOn.Wait();
                // Whoever asks for the room ends it: no state is ever through with this.
                while (true) yield return new JournalRecord.OperationForgotten("x");
            }
        }

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { Record(1), Record(2) }));
    }

    [Test]
    public async Task A_journal_that_was_killed_on_a_full_disk_is_recovered_there()
    {
        await using (var journal = await OpenAsync()) await journal.AppendAsync([Record(1)], default);
        string file = Directory.GetFiles(Journal).Single();
        byte[] torn = File.ReadAllBytes(file);
        using (var tail = File.OpenHandle(file, FileMode.Open, FileAccess.Write)) RandomAccess.Write(tail, torn.AsSpan(20, 50), torn.Length);
        _disk.Fill();

        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { Record(1) }));
    }

    [Test]
    public async Task A_journal_that_is_closed_while_it_waits_acknowledges_nothing_and_keeps_the_rest()
    {
        var journal = await OpenAsync();
        await journal.AppendAsync([Record(1)], default);
        _disk.Fill();
        var waiting = journal.AppendAsync([Record(2)], default).AsTask();
        await _stalled.Task.WaitAsync(Within);

        await journal.DisposeAsync();

        Assert.ThrowsAsync<JournalException>(() => waiting);
        _disk.Empty();
        Assert.That(await RecoverAsync(), Is.EqualTo(new[] { Record(1) }));
    }

    private async Task<FileOperationJournal> OpenAsync()
    {
        var journal = new FileOperationJournal(new FileOperationJournalOptions
        {
            Directory = Journal,
            RoomRetryInterval = TimeSpan.FromMilliseconds(10),
        });
        journal.StallChanged += reason =>
        {
            if (reason is null) _goesOn.SetResult();
            else _stalled.SetResult(reason);
        };
        await journal.RecoverAsync(default);
        return journal;
    }

    private async Task<IReadOnlyList<JournalRecord>> RecoverAsync()
    {
        await using var journal = new FileOperationJournal(new FileOperationJournalOptions { Directory = Journal });
        return await journal.RecoverAsync(default);
    }

    // Larger than a page: what is left of the last one takes a part of it, and a part is what must not count.
    private static JournalRecord.OperationForgotten Record(int number) => new(new string((char)('0' + number), 10_000));
}
