using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class HotActionCacheTests : ActionCacheContract
{
    private ScriptedCache _inner = null!;

    [Test]
    public async Task The_second_read_comes_from_memory()
    {
        await _inner.PutAsync(Key("", 1), new ActionResult { ExitCode = 1 }, default);

        await Cache.GetAsync(Key("", 1), default);
        await Cache.GetAsync(Key("", 1), default);

        Assert.That(_inner.Gets, Is.EqualTo(1));
    }

    [Test]
    public async Task A_read_that_a_put_overtook_does_not_hide_the_new_result()
    {
        await _inner.PutAsync(Key("", 1), new ActionResult { ExitCode = 1 }, default);
        // The new result arrives after the old one was read and before it is kept in memory.
        _inner.AfterNextGet = () => Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = 2 }, default);

        await Cache.GetAsync(Key("", 1), default);

        Assert.That((await Cache.GetAsync(Key("", 1), default))!.ExitCode, Is.EqualTo(2));
    }

    [Test]
    public async Task The_least_recently_used_goes_from_memory_when_the_limit_is_reached()
    {
        var cache = new HotActionCache(_inner, limitBytes: 4 * 300);
        for (int i = 0; i < 5; i++) await _inner.PutAsync(Key("", i), new ActionResult { ExitCode = 1 }, default);
        for (int i = 0; i < 4; i++) await cache.GetAsync(Key("", i), default);
        await cache.GetAsync(Key("", 0), default);

        await cache.GetAsync(Key("", 4), default);

        Assert.That(_inner.Gets, Is.EqualTo(5));
        await cache.GetAsync(Key("", 0), default);
        Assert.That(_inner.Gets, Is.EqualTo(5));
        await cache.GetAsync(Key("", 1), default);
        Assert.That(_inner.Gets, Is.EqualTo(6));
    }

    private protected override IActionCache CreateCache()
    {
        _inner = new ScriptedCache();
        return new HotActionCache(_inner, limitBytes: 1 << 20);
    }

    private sealed class ScriptedCache : IActionCache
    {
        private readonly MemoryActionCache _results = new(1 << 20);

        public int Gets { get; private set; }

        public Func<ValueTask>? AfterNextGet { get; set; }

        public async ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
        {
            Gets++;
            var result = await _results.GetAsync(key, cancellationToken);
            var after = AfterNextGet;
            AfterNextGet = null;
            if (after is not null) await after();
            return result;
        }

        public ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken) =>
            _results.PutAsync(key, result, cancellationToken);
    }
}
