namespace RemoteExec.Rpc;

/// <summary>Handles a call on its bytes; it ends when the task does, with a status like any handler's.</summary>
public delegate Task RawServerMethod(RawServerCall call);
