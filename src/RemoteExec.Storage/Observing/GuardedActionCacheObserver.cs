using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Keeps a cache from the failures of whoever watches it.</summary>
internal sealed class GuardedActionCacheObserver(IActionCacheObserver? inner) : IActionCacheObserver
{
    public void Hit() => Observers.Tell(inner, 0, static (observer, _) => observer.Hit());

    public void Missed() => Observers.Tell(inner, 0, static (observer, _) => observer.Missed());

    public void FoundIncomplete() => Observers.Tell(inner, 0, static (observer, _) => observer.FoundIncomplete());

    public void Stored() => Observers.Tell(inner, 0, static (observer, _) => observer.Stored());
}
