using NUnit.Framework;
using RemoteExec.Files;

namespace RemoteExec.Storage.Tests;

public sealed class BulkThreadsTests
{
    // proc_pid_stat(5), counted behind the name, which may hold anything.
    private const int NiceField = 19 - 3;

    private static int Niceness()
    {
        string stat = File.ReadAllText("/proc/thread-self/stat");
        return int.Parse(stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[NiceField], System.Globalization.CultureInfo.InvariantCulture);
    }

    [Test]
    public async Task Work_gives_way_to_the_thread_that_asked_for_it()
    {
        using var threads = new BulkThreads();
        int here = Niceness(), there = 0;

        await threads.RunAsync(() => there = Niceness());

        Assert.That(there, Is.GreaterThan(here).Or.EqualTo(19), "19 is as nice as can be");
    }

    [Test]
    [Platform("Linux")]
    public void Work_of_a_process_that_is_nice_gives_way_all_the_more()
    {
        int here = 0, there = 0;
        var nice = new Thread(() =>
        {
            _ = Posix.GiveWay(8);
            here = Niceness();
            _ = Posix.GiveWay(6);
            there = Niceness();
        });
        nice.Start();
        nice.Join();

        Assert.That(there, Is.EqualTo(Math.Min(19, here + 6)));
    }

    [Test]
    public async Task What_one_throws_is_its_own_and_the_others_are_done()
    {
        using var threads = new BulkThreads();
        int done = 0;
        var all = Enumerable.Range(0, 200)
            .Select(i => threads.RunAsync(() => _ = i % 2 == 0 ? throw new InvalidDataException($"{i}") : Interlocked.Increment(ref done)))
            .ToList();

        for (int i = 0; i < all.Count; i += 2)
            Assert.That((await Task.WhenAny(all[i])).Exception?.InnerException, Is.InstanceOf<InvalidDataException>().With.Message.EqualTo($"{i}"));
        await Task.WhenAll(all.Where((_, i) => i % 2 == 1));
        Assert.That(done, Is.EqualTo(100));
    }

    [Test]
    public async Task Two_are_done_at_the_same_time()
    {
        using var threads = new BulkThreads();
        using var meeting = new Barrier(2);

        // Each waits for the other.
        await Task.WhenAll(threads.RunAsync(() => meeting.SignalAndWait()), threads.RunAsync(() => meeting.SignalAndWait()));

        Assert.That(meeting.CurrentPhaseNumber, Is.EqualTo(1));
    }

    [Test]
    public async Task The_end_waits_for_what_was_begun_and_takes_nothing_more()
    {
        var threads = new BulkThreads();
        int done = 0;
        var all = Enumerable.Range(0, 50).Select(_ => threads.RunAsync(() => Interlocked.Increment(ref done))).ToList();

        threads.Dispose();

        Assert.That(done, Is.EqualTo(50));
        await Task.WhenAll(all);
        Assert.That(() => threads.RunAsync(() => { }), Throws.InstanceOf<ObjectDisposedException>());
    }
}
