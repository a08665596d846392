using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// What we know of a connection beside Kestrel: one feature for all of it, because each call looks it up, and Kestrel looks for what is not
/// its own behind all that is.
/// </summary>
internal sealed class RpcConnection(RpcPort port)
{
    public RpcPort Port => port;

    /// <summary>Null until it is looked at.</summary>
    public TakenBytes? Taken { get; set; }

    /// <inheritdoc cref="Taken"/>
    public ClientFrames? Frames { get; set; }

    /// <summary>Null on another port.</summary>
    public static RpcConnection? Of(HttpContext context) => context.Features.Get<RpcConnection>();

    public static RpcConnection Of(ConnectionContext connection) => connection.Features.GetRequiredFeature<RpcConnection>();
}
