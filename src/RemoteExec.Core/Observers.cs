using System.Diagnostics;

namespace RemoteExec.Core;

/// <summary>
/// Those who watch never decide: whatever an observer throws is told to <see cref="Trace"/>, and the work that it watches goes
/// on. For the guards that stand before the observers of each room.
/// </summary>
public static class Observers
{
    /// <param name="observer">Null when nobody watches.</param>
    /// <param name="tell">Static, with all it needs in <paramref name="news"/>: this is called for every piece of a blob.</param>
    public static void Tell<TObserver, TNews>(TObserver? observer, TNews news, Action<TObserver, TNews> tell)
        where TObserver : class
    {
        if (observer is null) return;
        ServingLoop.Serve(
            (observer, news, tell),
            static telling => telling.tell(telling.observer, telling.news),
            static (_, mistake) => Trace.TraceError(mistake.ToString()));
    }
}
