using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;
using Directory = System.IO.Directory;

namespace RemoteExec.Storage.Tests;

public sealed class DiskActionCacheTests : ActionCacheContract
{
    private readonly ManualTime _time = new();
    private Scratch _scratch = null!;

    [TearDown]
    public void DeleteScratch() => _scratch.Dispose();

    [Test]
    public async Task A_restart_finds_every_entry()
    {
        for (int i = 0; i < 50; i++) await Cache.PutAsync(Key("x", i), new ActionResult { ExitCode = i }, default);

        var again = Open();

        Assert.That(again.Entries, Is.EqualTo(50));
        for (int i = 0; i < 50; i++)
            Assert.That((await again.GetAsync(Key("x", i), default))!.ExitCode, Is.EqualTo(i));
    }

    [Test]
    public async Task A_torn_entry_is_a_miss_at_every_length()
    {
        var result = new ActionResult { ExitCode = 3, ExecutionMetadata = new ExecutedActionMetadata { Worker = "w" } };
        await Cache.PutAsync(Key("", 1), result, default);
        string file = EntryFiles().Single();
        byte[] whole = File.ReadAllBytes(file);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(file, whole.AsSpan(0, length));
            var cache = Open();

            Assert.That(await cache.GetAsync(Key("", 1), default), Is.Null, $"{length} of {whole.Length} bytes");
            Assert.That(cache.Entries, Is.Zero);
            Assert.That(EntryFiles(), Is.Empty);
        }
    }

    [Test]
    public async Task A_flipped_bit_is_a_miss_wherever_it_is()
    {
        await Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = 3 }, default);
        string file = EntryFiles().Single();
        byte[] whole = File.ReadAllBytes(file);
        for (int bit = 0; bit < whole.Length * 8; bit++)
        {
            byte[] flipped = [.. whole];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes(file, flipped);

            Assert.That(await Open().GetAsync(Key("", 1), default), Is.Null, $"bit {bit}");
        }
    }

    [Test]
    public async Task An_entry_under_another_name_is_a_miss()
    {
        await Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = 1 }, default);
        string mine = EntryFiles().Single();
        await Cache.PutAsync(Key("", 2), new ActionResult { ExitCode = 2 }, default);
        string other = EntryFiles().Single(file => file != mine);
        File.Copy(mine, other, overwrite: true);

        Assert.That(await Open().GetAsync(Key("", 2), default), Is.Null);
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

    [Test]
    public async Task An_unfinished_entry_is_removed_at_start()
    {
        File.WriteAllText(_scratch.Sub("temp/1"), "half");

        Assert.That(Open().Entries, Is.Zero);
        Assert.That(Directory.EnumerateFiles(_scratch.Sub("temp")), Is.Empty);
        await Cache.PutAsync(Key("", 1), new ActionResult(), default);
    }

    private protected override IActionCache CreateCache()
    {
        _scratch = new Scratch();
        return Open();
    }

    private DiskActionCache Open() =>
        DiskActionCache.Open(
            new DiskActionCacheOptions { Directory = _scratch.Path, EntriesMax = 100 }, _time);

    private string[] EntryFiles() =>
        [.. Directory.EnumerateFiles(_scratch.Path, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file).Length == 64)];
}
