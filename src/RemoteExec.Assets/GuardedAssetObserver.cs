using RemoteExec.Core;

namespace RemoteExec.Assets;

/// <summary>Keeps fetches from the failures of whoever watches them.</summary>
internal sealed class GuardedAssetObserver(IAssetObserver? inner) : IAssetObserver
{
    public static readonly GuardedAssetObserver Nobody = new(inner: null);

    public void Known(AssetKind kind) => Observers.Tell(inner, kind, static (observer, known) => observer.Known(known));

    public void Fetched(AssetKind kind, bool isFound, TimeSpan duration) => Observers.Tell(
        inner, (kind, isFound, duration), static (observer, fetch) => observer.Fetched(fetch.kind, fetch.isFound, fetch.duration));

    public void Downloaded(long bytes) => Observers.Tell(inner, bytes, static (observer, length) => observer.Downloaded(length));
}
