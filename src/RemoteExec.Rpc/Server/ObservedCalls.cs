using System.Diagnostics;

namespace RemoteExec.Rpc;

/// <summary>
/// Stands before the observers of a server. Those who watch never decide: what one of them throws is told to
/// <see cref="Trace"/>; the call goes on, and the other observers are told all the same.
/// </summary>
internal readonly struct ObservedCalls(IReadOnlyList<IRpcObserver> observers)
{
    public bool IsWatched => observers.Count > 0;

    public void Started(string method)
    {
        foreach (var observer in observers)
        {
            try
            {
                observer.CallStarted(method);
            }
            catch (Exception mistake)
            {
                Trace.TraceError(mistake.ToString());
            }
        }
    }

    public void Finished(in RpcCallReport report)
    {
        foreach (var observer in observers)
        {
            try
            {
                observer.CallFinished(report);
            }
            catch (Exception mistake)
            {
                Trace.TraceError(mistake.ToString());
            }
        }
    }
}
