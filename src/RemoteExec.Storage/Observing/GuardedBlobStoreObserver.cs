using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Keeps a store from the failures of whoever watches it.</summary>
internal sealed class GuardedBlobStoreObserver(IBlobStoreObserver? inner) : IBlobStoreObserver
{
    public static readonly GuardedBlobStoreObserver Nobody = new(inner: null);

    public void Asked(int digests) => Observers.Tell(inner, digests, static (observer, asked) => observer.Asked(asked));

    public void Opened(long? sizeBytes) => Observers.Tell(inner, sizeBytes, static (observer, opened) => observer.Opened(opened));

    public void Stored(long sizeBytes) => Observers.Tell(inner, sizeBytes, static (observer, stored) => observer.Stored(stored));

    public void FoundPresent() => Observers.Tell(inner, 0, static (observer, _) => observer.FoundPresent());

    public void Refused() => Observers.Tell(inner, 0, static (observer, _) => observer.Refused());

    public void Evicted(long bytes) => Observers.Tell(inner, bytes, static (observer, evicted) => observer.Evicted(evicted));

    public void EvictedWithResults(long bytes) => Observers.Tell(inner, bytes, static (observer, evicted) => observer.EvictedWithResults(evicted));

    public void Corrupted() => Observers.Tell(inner, 0, static (observer, _) => observer.Corrupted());

    public void Scrubbed(long bytes) => Observers.Tell(inner, bytes, static (observer, scrubbed) => observer.Scrubbed(scrubbed));

    public void Flushed(TimeSpan duration) => Observers.Tell(inner, duration, static (observer, took) => observer.Flushed(took));
}
