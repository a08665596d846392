namespace RemoteExec.Assets.Tests;

/// <summary>What whoever watches is told.</summary>
public sealed class FetchObservingTests : AssetFixture
{
    [Test]
    public async Task Who_watches_is_told_of_each_fetch_once_and_may_fail()
    {
        var seen = new Watcher();
        await ReopenAsync(Options with { Observer = seen });
        Origin.Serve("/a", [1, 2]);

        await FetchBlobAsync(Origin.UriOf("/a"));
        await FetchBlobAsync(Origin.UriOf("/a"));
        await FetchBlobAsync(Origin.UriOf("/gone"));

        Assert.That(seen.Told, Is.EqualTo(new[] { "downloaded 2", "fetched True", "known", "fetched False" }));
        Assert.That(Fetcher.Running, Is.Zero);
    }

    private sealed class Watcher : IAssetObserver
    {
        public List<string> Told { get; } = [];

        public void Known(AssetKind kind) => Tell("known");

        public void Fetched(AssetKind kind, bool isFound, TimeSpan duration) => Tell($"fetched {isFound}");

        public void Downloaded(long bytes) => Tell($"downloaded {bytes}");

        private void Tell(string what)
        {
            Told.Add(what);
            throw new InvalidOperationException("whoever watches has a bug");
        }
    }
}
