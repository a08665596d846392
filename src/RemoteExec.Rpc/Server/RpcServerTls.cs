using System.Security.Cryptography.X509Certificates;

namespace RemoteExec.Rpc;

/// <summary>TLS of a server. The certificate is asked for anew at each handshake, so it can be renewed.</summary>
public sealed record RpcServerTls
{
    public required Func<X509Certificate2> Certificate { get; init; }

    /// <summary>The roots that client certificates must lead to; null asks clients for none.</summary>
    public X509Certificate2Collection? ClientRoots { get; init; }
}
