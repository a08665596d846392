namespace RemoteExec.Rpc;

/// <summary>What an endpoint knows of its method.</summary>
internal sealed record ServedMethod(string FullName, RpcLimits Limits);
