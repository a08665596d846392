namespace RemoteExec.Rpc;

/// <summary>
/// A message that knows its size, for <see cref="RpcCallReport"/>: those of byte methods, which are the traffic. Asking a generated
/// one would mean to measure it twice.
/// </summary>
public interface IRpcMessage
{
    int LengthBytes { get; }
}
