using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;
using RemoteExec.Core;

namespace RemoteExec.Storage.Tests;

/// <summary>What every action cache promises.</summary>
public abstract class ActionCacheContract
{
    private protected IActionCache Cache { get; private set; } = null!;

    [SetUp]
    public void CreateCacheBeforeTest() => Cache = CreateCache();

    [Test]
    public async Task What_was_put_is_found_under_its_key_only()
    {
        var result = new ActionResult { ExitCode = 3, StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("hello") };

        await Cache.PutAsync(Key("a", 1), result, default);

        Assert.That(await Cache.GetAsync(Key("a", 1), default), Is.EqualTo(result));
        Assert.That(await Cache.GetAsync(Key("b", 1), default), Is.Null);
        Assert.That(await Cache.GetAsync(Key("", 1), default), Is.Null);
        Assert.That(await Cache.GetAsync(Key("a", 2), default), Is.Null);
    }

    [Test]
    public async Task A_second_result_replaces_the_first()
    {
        for (int exitCode = 1; exitCode <= 3; exitCode++)
        {
            await Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = exitCode }, default);
            Assert.That((await Cache.GetAsync(Key("", 1), default))!.ExitCode, Is.EqualTo(exitCode));
        }
    }

    [Test]
    public async Task A_reader_may_change_what_it_got()
    {
        await Cache.PutAsync(Key("", 1), new ActionResult { ExitCode = 1 }, default);
        (await Cache.GetAsync(Key("", 1), default))!.ExitCode = 2;

        Assert.That((await Cache.GetAsync(Key("", 1), default))!.ExitCode, Is.EqualTo(1));
    }

    [Test]
    public async Task A_writer_may_change_what_it_put()
    {
        var result = new ActionResult { ExitCode = 1 };
        await Cache.PutAsync(Key("", 1), result, default);
        result.ExitCode = 2;

        Assert.That((await Cache.GetAsync(Key("", 1), default))!.ExitCode, Is.EqualTo(1));
    }

    private protected abstract IActionCache CreateCache();

    private protected static ActionCacheKey Key(string instance, int seed)
    {
        Assert.That(InstanceName.TryParse(instance, out var name, out string? error), Is.True, error);
        return new ActionCacheKey(name, Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(seed)));
    }
}
