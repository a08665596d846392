using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// Every transport limit, set on purpose. Kestrel's defaults are for web pages: some strangle gRPC, which keeps
/// few connections with many long streams; what is lifted there is bounded elsewhere. The rest is the answer to
/// hostile peers, and is stated even where it repeats the default, so that a new default cannot change it.
/// </summary>
internal static class TransportLimits
{
    private const int KiB = 1024;

    public static void Apply(KestrelServerLimits limits, RpcServerOptions options)
    {
        // -- lifted for gRPC --------------------------------------------------------------------------------

        // Default 100. A Bazel with --jobs=500 keeps that many Execute streams on a few connections; at 100 the
        // rest would queue in the client, invisible to us. Bounded, because each stream costs about 10 KiB, and a block of its connection's
        // memory while a part of a message has come (ConnectionBlocks).
        limits.Http2.MaxStreamsPerConnection = options.StreamsPerConnectionMax;

        // Default 30 MB for the sum of a stream. An upload has no such sum; each message has its limit
        // (RpcServerOptions.ReceiveBytesMax), also where a call has only one.
        limits.MaxRequestBodySize = null;

        // Default 240 bytes a second, else the connection dies. A stream that waits for work sends nothing for
        // hours. Instead, one call: RpcLimits.ReceiveIdleMax and RpcServerOptions.SendStallMax end the stream, and its
        // neighbours on the connection live on.
        limits.MinRequestBodyDataRate = null;
        limits.MinResponseDataRate = null;

        // Defaults 768 KiB a stream, 1 MiB a connection. An upload's speed is window / round trip: 4 MiB at
        // 20 ms is 200 MB/s. It is also what a connection can make us hold unread, beyond whole messages.
        limits.Http2.InitialStreamWindowSize = 4 * KiB * KiB;
        limits.Http2.InitialConnectionWindowSize = 8 * KiB * KiB;

        // Default 16 KiB, the least that HTTP/2 allows. Larger frames are fewer headers and wake-ups when both
        // sides can; more than this would let one frame hold up its connection's other streams.
        limits.Http2.MaxFrameSize = 64 * KiB;

        // Default 64 KiB: what one stream may have waiting to be sent before its writer waits.
        limits.MaxResponseBufferSize = 512 * KiB;

        // Default 130 s. An idle client that is cut off meets the GOAWAY with its next call, and old Bazels fail
        // on it. A dead peer is found by ping.
        limits.KeepAliveTimeout = TimeSpan.FromMinutes(30);
        limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        limits.Http2.KeepAlivePingTimeout = TimeSpan.FromSeconds(20);

        // -- against hostile peers --------------------------------------------------------------------------

        limits.MaxConcurrentConnections = options.ConnectionsMax;
        limits.MaxConcurrentUpgradedConnections = 0;

        // Headers: bombs by size, by count, by compression (the table) and by slowness. Bearer tokens with many
        // groups reach 16 KiB, REAPI's RequestMetadata a few; one of 64 KiB, in base64, is still ignored rather than
        // refused. Beyond the total or the count a call is answered with HTTP status 431; one field beyond its own limit ends
        // the whole connection, and with it every call of that client.
        limits.MaxRequestHeadersTotalSize = 128 * KiB;
        limits.Http2.MaxRequestHeaderFieldSize = 96 * KiB;
        limits.MaxRequestHeaderCount = 100;
        limits.Http2.HeaderTableSize = 4 * KiB;
        limits.RequestHeadersTimeout = TimeSpan.FromSeconds(30);

        // HTTP/1 never gets past PrefaceGuard.
        limits.MaxRequestLineSize = 8 * KiB;
        limits.MaxRequestBufferSize = 1 * KiB * KiB;

        // Rapid reset, reset made by provoked errors, and floods of SETTINGS, PING, CONTINUATION and empty frames
        // are counted inside Kestrel (CVE-2023-44487, CVE-2025-8671, VU#605641); it has no switch to set here.
    }
}
