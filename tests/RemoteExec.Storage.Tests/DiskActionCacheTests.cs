using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class DiskActionCacheTests : ActionCacheContract
{
    private readonly ManualTime _time = new();
    private SteppedTime _wall = null!;
    private readonly List<DiskActionCache> _opened = [];
    private Scratch _scratch = null!;

    [TearDown]
    public void CloseAndDelete()
    {
        foreach (var cache in _opened) cache.Dispose();
        _opened.Clear();
        _scratch.Dispose();
    }

    [Test]
    public async Task A_restart_after_a_kill_finds_every_entry()
    {
        for (int i = 0; i < 50; i++) await Cache.PutAsync(Key("x", i), new ActionResult { ExitCode = i }, default);

        var again = Open(); // the first one was never closed

        Assert.That(again.Entries, Is.EqualTo(50));
        for (int i = 0; i < 50; i++)
            Assert.That((await again.GetAsync(Key("x", i), default))!.ExitCode, Is.EqualTo(i));
    }

    [Test]
    public async Task A_restart_finds_the_last_result_of_an_action()
    {
        for (int i = 0; i < 5; i++) await Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = i }, default);

        var again = Open();

        Assert.That(again.Entries, Is.EqualTo(1));
        Assert.That((await again.GetAsync(Key("", 1), default))!.ExitCode, Is.EqualTo(4));
    }

    [Test]
    public async Task An_empty_result_is_a_result()
    {
        await Cache.PutAsync(Key("", 1), new ActionResult(), default);

        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.EqualTo(new ActionResult()));
        Assert.That(await Open().GetAsync(Key("", 1), default), Is.EqualTo(new ActionResult()));
    }

    [Test]
    public async Task The_least_recently_used_goes_first_even_after_a_restart()
    {
        for (int i = 0; i < 100; i++)
        {
            await Cache.PutAsync(Key("", i), new ActionResult { ExitCode = i }, default);
            _time.Advance(TimeSpan.FromHours(1));
        }

        await Cache.GetAsync(Key("", 0), default);
        var again = Open();
        await again.PutAsync(Key("", 100), new ActionResult { ExitCode = 100 }, default);

        Assert.That(again.Entries, Is.EqualTo(100));
        Assert.That(await again.GetAsync(Key("", 0), default), Is.Not.Null);
        Assert.That(await again.GetAsync(Key("", 1), default), Is.Null);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_wall_clock_that_is_set_back_makes_no_use_forgotten(bool isRestarted)
    {
        for (int i = 0; i < 100; i++) await Cache.PutAsync(Key("", i), new ActionResult { ExitCode = i }, default);
        _wall.Step(TimeSpan.FromHours(-5));
        var cache = isRestarted ? Open() : Cache;
        _time.Advance(TimeSpan.FromMinutes(11));

        await cache.GetAsync(Key("", 0), default);
        var again = Open();
        await again.PutAsync(Key("", 100), new ActionResult { ExitCode = 100 }, default);

        Assert.That(await again.GetAsync(Key("", 0), default), Is.Not.Null);
        Assert.That(await again.GetAsync(Key("", 1), default), Is.Null);
    }

    [Test]
    public async Task What_was_evicted_stays_so_after_a_restart()
    {
        for (int i = 0; i < 150; i++)
        {
            await Cache.PutAsync(Key("", i), new ActionResult { ExitCode = i }, default);
            _time.Advance(TimeSpan.FromSeconds(1));
        }

        var again = Open();

        Assert.That(again.Entries, Is.EqualTo(100));
        for (int i = 0; i < 150; i++)
            Assert.That(await again.GetAsync(Key("", i), default), i < 50 ? Is.Null : Is.Not.Null, $"{i}");
    }

    [Test]
    public async Task Files_that_are_no_segments_are_left_alone()
    {
        foreach (string name in (string[])["notes.log", "0000000001.log.old", "1.log"]) File.WriteAllText(_scratch.Sub(name), "mine");

        var again = Open();
        await again.PutAsync(Key("", 1), new ActionResult(), default);

        Assert.That(again.Entries, Is.EqualTo(1));
        foreach (string name in (string[])["notes.log", "0000000001.log.old", "1.log"])
            Assert.That(File.ReadAllText(_scratch.Sub(name)), Is.EqualTo("mine"));
    }

    [Test]
    public void A_directory_that_cannot_be_made_is_told_in_a_sentence()
    {
        File.WriteAllText(_scratch.Sub("file"), "");

        var refused = Assert.Throws<StorageDirectoryException>(
            () => DiskActionCache.Open(new DiskActionCacheOptions { Directory = _scratch.Sub("file") }, _time));

        Assert.That(refused!.Message, Does.Contain(_scratch.Sub("file")).And.Contains("cannot be used"));
    }

    private protected override IActionCache CreateCache()
    {
        _scratch = new Scratch();
        _wall = new SteppedTime(_time);
        return Open();
    }

    private DiskActionCache Open()
    {
        var cache = DiskActionCache.Open(new DiskActionCacheOptions { Directory = _scratch.Path, EntriesMax = 100 }, _wall);
        _opened.Add(cache);
        return cache;
    }
}
