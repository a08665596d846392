using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class BlobStoreObserverTests : DiskFixture
{
    // Room for two uploads of the first blob at once, and not for both blobs.
    private const int LimitBytes = 1_500_000;

    [Test]
    public async Task Who_watches_is_told_what_a_store_did()
    {
        var told = new RecordedNews();
        await LiveAsync(told);

        Assert.That(told.All.Where(news => news != "flushed"), Is.EqualTo(new[]
        {
            "asked 1", "opened missing", "stored 700000", "opened 700000", "present", "refused", "evicted 700000", "stored 900000", "corrupted", "opened missing",
        }));
        Assert.That(told.All, Does.Contain("flushed"));
    }

    [Test]
    public async Task Who_watches_and_throws_changes_nothing()
    {
        var throwing = new RecordedNews { Throws = true };

        await LiveAsync(throwing);

        Assert.That(throwing.All, Is.SupersetOf(new[] { "flushed", "stored 700000", "corrupted" }), "told all the same");
    }

    private async Task LiveAsync(IBlobStoreObserver observer)
    {
        await using var store = await OpenAsync(LimitBytes, observer: observer);
        byte[] first = Blobs.Of(1, 700_000);
        byte[] second = Blobs.Of(2, 900_000);
        var digest = Blobs.DigestOf(first);

        Assert.That(await store.HasAsync(digest), Is.False);
        Assert.That(await store.GetAsync(digest), Is.Null);
        await using (var late = await store.CreateWriterAsync(digest, default))
        {
            await late.AppendAsync(first.AsMemory(0, 1000), default);
            await store.PutAsync(first);
            Assert.That(await store.GetAsync(digest), Is.EqualTo(first));
            await late.AppendAsync(first.AsMemory(1000, 200_000), default);
            await late.AppendAsync(first.AsMemory(201_000), default);
            await late.CommitAsync(default);
        }

        Assert.That(async () => await store.PutAsync(second), Throws.InstanceOf<RpcException>());
        Time.Advance(Retention + TimeSpan.FromMinutes(1));
        await store.PutAsync(second);
        store.PutAside(Blobs.DigestOf(second));
        store.PutAside(Blobs.DigestOf(second)); // what is gone is no news
        Assert.That(await store.GetAsync(Blobs.DigestOf(second)), Is.Null);
    }

    private sealed class RecordedNews : IBlobStoreObserver
    {
        private readonly Lock _gate = new();
        private readonly List<string> _all = [];

        public bool Throws { get; init; }

        public IReadOnlyList<string> All
        {
            get
            {
                lock (_gate) return [.. _all];
            }
        }

        public void Asked(int digests) => Note($"asked {digests}");

        public void Opened(long? sizeBytes) => Note(sizeBytes is { } bytes ? $"opened {bytes}" : "opened missing");

        public void Stored(long sizeBytes) => Note($"stored {sizeBytes}");

        public void FoundPresent() => Note("present");

        public void Refused() => Note("refused");

        public void Evicted(long bytes) => Note($"evicted {bytes}");

        public void Corrupted() => Note("corrupted");

        public void Flushed(TimeSpan duration) => Note("flushed");

        private void Note(string news)
        {
            lock (_gate) _all.Add(news);
            if (Throws) throw new TimeZoneNotFoundException(news);
        }
    }
}
