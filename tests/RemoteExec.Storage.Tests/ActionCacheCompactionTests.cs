using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

/// <summary>The log stays in proportion to what counts in it, and loses none of that.</summary>
public sealed class ActionCacheCompactionTests : DiskActionCacheFixture
{
    private const long LimitBytes = 4 << 20;
    private const long SegmentBytes = 1 << 20;
    private const long BytesOnDiskMax = (LimitBytes * 5 / 2) + SegmentBytes;
    private const int ResultBytes = 32_000;

    [Test]
    public async Task What_is_replaced_is_given_back_and_what_is_not_stays()
    {
        const int Cold = 40;
        const int Hot = 60;
        int rounds = (int)(20 * LimitBytes / (Hot * ResultBytes));
        var cache = Open(limitBytes: LimitBytes);
        for (int key = 0; key < Cold; key++) await cache.PutAsync(Key(key), Result(key, 0, ResultBytes), default);
        Time.Advance(TimeSpan.FromHours(1));
        for (int round = 1; round <= rounds; round++)
        {
            for (int key = Cold; key < Cold + Hot; key++)
            {
                await cache.PutAsync(Key(key), Result(key, round, ResultBytes), default);
                Assert.That(BytesOnDisk(), Is.LessThanOrEqualTo(BytesOnDiskMax));
            }

            if (round == rounds / 2) await cache.GetAsync(Key(7), default);
        }

        Assert.That(Segments().Select(Path.GetFileName), Does.Not.Contain("0000000001.log"), "what is cold was moved");
        foreach (var opened in (DiskActionCache[])[cache, Open(limitBytes: LimitBytes)])
        {
            Assert.That(opened.Entries, Is.EqualTo(Cold + Hot));
            for (int key = 0; key < Cold + Hot; key++)
                Assert.That(await opened.GetAsync(Key(key), default), Is.EqualTo(Result(key, key < Cold ? 0 : rounds, ResultBytes)), $"{key}");
        }
    }

    [Test]
    public async Task What_was_moved_is_not_younger_for_it()
    {
        const int Cold = 40;
        const int Hot = 60;
        var cache = Open(limitBytes: LimitBytes);
        for (int key = 0; key < Cold; key++) await cache.PutAsync(Key(key), Result(key, 0, ResultBytes), default);
        Time.Advance(TimeSpan.FromHours(1));
        await cache.GetAsync(Key(7), default); // the only use among the cold
        Time.Advance(TimeSpan.FromHours(1));
        for (int key = Cold; key < Cold + Hot; key++) await cache.PutAsync(Key(key), Result(key, 0, 100), default);
        for (int round = 0; File.Exists(Path.Combine(Folder, "0000000002.log")); round++)
        {
            Assert.That(round, Is.LessThan(1000), "the first segments go at last");
            await cache.PutAsync(Key(Cold), Result(Cold, 0, ResultBytes), default);
        }

        var again = Open(entriesMax: Hot + 1, limitBytes: LimitBytes);

        Assert.That(again.Entries, Is.EqualTo(Hot + 1));
        for (int key = 0; key < Cold; key++)
            Assert.That(await again.GetAsync(Key(key), default), key == 7 ? Is.Not.Null : Is.Null, $"{key}");
    }

    [Test]
    public async Task What_is_evicted_is_given_back()
    {
        int results = (int)(20 * LimitBytes / ResultBytes);
        var cache = Open(limitBytes: LimitBytes);
        for (int key = 0; key < results; key++)
        {
            await cache.PutAsync(Key(key), Result(key, 0, ResultBytes), default);
            Time.Advance(TimeSpan.FromSeconds(1));
            Assert.That(BytesOnDisk(), Is.LessThanOrEqualTo(BytesOnDiskMax));
        }

        int kept = cache.Entries;
        Assert.That(kept, Is.EqualTo(LimitBytes / ResultBytes).Within(2));
        var again = Open(limitBytes: LimitBytes);
        Assert.That(again.Entries, Is.EqualTo(kept));
        for (int key = 0; key < results; key++)
            Assert.That(await again.GetAsync(Key(key), default), key < results - kept ? Is.Null : Is.EqualTo(Result(key, 0, ResultBytes)), $"{key}");
    }

    [Test]
    public async Task Uses_alone_do_not_fill_the_disk()
    {
        const int Results = 1000;
        var cache = Open(limitBytes: LimitBytes);
        for (int key = 0; key < Results; key++) await cache.PutAsync(Key(key), Result(key, 0), default);
        for (int round = 0; round < 100; round++)
        {
            Time.Advance(TimeSpan.FromHours(1));
            for (int key = 0; key < Results; key++) Assert.That(await cache.GetAsync(Key(key), default), Is.Not.Null);
            Assert.That(BytesOnDisk(), Is.LessThanOrEqualTo(3 * SegmentBytes));
        }

        Assert.That(Open(limitBytes: LimitBytes).Entries, Is.EqualTo(Results));
    }

    [Test]
    public async Task Readers_and_writers_meet_compaction_and_notice_nothing()
    {
        const int Writers = 4;
        const int KeysPerWriter = 25;
        const int Rounds = 30;
        const int Bytes = 15_000;
        var cache = Open(limitBytes: LimitBytes);
        for (int key = 0; key < Writers * KeysPerWriter; key++) await cache.PutAsync(Key(key), Result(key, 0, Bytes), default);

        using var written = new CancellationTokenSource();
        var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(async () =>
        {
            for (int key = reader; !written.IsCancellationRequested; key = (key + 7) % (Writers * KeysPerWriter))
            {
                // Nothing is evicted here, so a miss is a loss. Its own text says what it must be.
                var found = await cache.GetAsync(Key(key), default);
                Assert.That(found, Is.Not.Null, $"{key}");
                string[] says = found!.StderrRaw.ToStringUtf8().Split('.');
                Assert.That(says[0], Is.EqualTo($"{key}"));
                Assert.That(found, Is.EqualTo(Result(key, int.Parse(says[1], System.Globalization.CultureInfo.InvariantCulture), Bytes)));
            }
        })).ToArray();
        var writers = Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
        {
            for (int round = 1; round <= Rounds; round++)
            {
                for (int key = writer * KeysPerWriter; key < (writer + 1) * KeysPerWriter; key++)
                {
                    await cache.PutAsync(Key(key), Result(key, round, Bytes), default);
                    Assert.That((await cache.GetAsync(Key(key), default))?.StderrRaw.ToStringUtf8(), Is.EqualTo($"{key}.{round}"));
                }
            }
        })).ToArray();
        try
        {
            await Task.WhenAll(writers);
        }
        finally
        {
            await written.CancelAsync();
        }

        await Task.WhenAll(readers);
        Assert.That(Segments().Select(Path.GetFileName), Does.Not.Contain("0000000001.log"), "segments were compacted meanwhile");
        foreach (var opened in (DiskActionCache[])[cache, Open(limitBytes: LimitBytes)])
        {
            for (int key = 0; key < Writers * KeysPerWriter; key++)
                Assert.That(await opened.GetAsync(Key(key), default), Is.EqualTo(Result(key, Rounds, Bytes)));
        }
    }
}
