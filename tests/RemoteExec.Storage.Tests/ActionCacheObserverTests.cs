using Build.Bazel.Remote.Execution.V2;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage.Tests;

public sealed class ActionCacheObserverTests
{
    [TestCase(false)]
    [TestCase(true)]
    public async Task Who_watches_is_told_each_answer_and_what_it_throws_changes_none(bool throws)
    {
        var told = new RecordedNews(throws);
        var store = new MemoryBlobStore(1 << 20, TimeSpan.FromHours(4), new ManualTime());
        var cache = new CompletenessCheckingActionCache(new MemoryActionCache(1 << 20), store, told);
        byte[] output = Blobs.Of(1, 100);
        var key = new ActionCacheKey(InstanceName.Empty, Blobs.DigestOf(output));
        var result = new ActionResult { StdoutDigest = Blobs.DigestOf(output).ToWire() };

        Assert.That(await cache.GetAsync(key, default), Is.Null);
        await cache.PutAsync(key, result, default);
        Assert.That(await cache.GetAsync(key, default), Is.Null);
        await store.PutAsync(output);
        Assert.That(await cache.GetAsync(key, default), Is.EqualTo(result));

        Assert.That(told.All, Is.EqualTo(new[] { "missed", "stored", "incomplete", "hit" }));
    }

    private sealed class RecordedNews(bool throws) : IActionCacheObserver
    {
        public List<string> All { get; } = [];

        public void Hit() => Note("hit");

        public void Missed() => Note("missed");

        public void FoundIncomplete() => Note("incomplete");

        public void Stored() => Note("stored");

        private void Note(string news)
        {
            All.Add(news);
            if (throws) throw new TimeZoneNotFoundException(news);
        }
    }
}
