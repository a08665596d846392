using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class MemoryActionCacheTests : ActionCacheContract
{
    [Test]
    public async Task The_least_recently_used_goes_when_the_limit_is_reached()
    {
        var cache = new MemoryActionCache(limitBytes: 4 * 300);
        for (int i = 0; i < 4; i++) await cache.PutAsync(Key("", i), new ActionResult { ExitCode = 1 }, default);
        await cache.GetAsync(Key("", 0), default);

        await cache.PutAsync(Key("", 4), new ActionResult { ExitCode = 1 }, default);

        Assert.That(await cache.GetAsync(Key("", 0), default), Is.Not.Null);
        Assert.That(await cache.GetAsync(Key("", 1), default), Is.Null);
    }

    private protected override IActionCache CreateCache() => new MemoryActionCache(limitBytes: 1 << 20);
}
