namespace RemoteExec.Rpc;

/// <summary>Told of every call; metrics and audit hang here. Called on the call's own thread: be quick, never throw.</summary>
public interface IRpcObserver
{
    void CallStarted(string method);

    void CallFinished(in RpcCallReport report);
}
