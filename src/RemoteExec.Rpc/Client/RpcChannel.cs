using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// A client's way to one server: <c>http://host:port</c> is HTTP/2 without TLS, <c>https://…</c> with. Safe for any
/// number of calls at once; opens a further connection when one is full of streams.
/// </summary>
public sealed class RpcChannel : ChannelBase, IDisposable
{
    internal const string UserAgent = "grpc-dotnet-remoteexec/0.1";

    private const int WindowBytes = 4 * 1024 * 1024;

    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentDictionary<string, Uri> _uris = new(StringComparer.Ordinal);

    public RpcChannel(Uri address, RpcChannelOptions options) : base(address.ToString())
    {
        if (address.Scheme is not ("http" or "https"))
            throw new ArgumentException($"\"{address}\" must start with http:// or https://", nameof(address));
        Address = address;
        Options = options;
        Http = new HttpMessageInvoker(CreateHandler(options));
    }

    public RpcChannel(Uri address) : this(address, new RpcChannelOptions()) { }

    public Uri Address { get; }

    internal RpcChannelOptions Options { get; }

    internal HttpMessageInvoker Http { get; }

    /// <summary>Fires when the channel is shut down.</summary>
    internal CancellationToken Closing => _closing.Token;

    public override CallInvoker CreateCallInvoker() => new ChannelCallInvoker(this);

    /// <summary>Starts a call whose requests are a stream, or are built by hand.</summary>
    public RawClientCall StartRawCall(string fullMethodName, CallOptions options) => new(this, fullMethodName, options, null);

    /// <summary>Starts a call with one request, given as its bytes.</summary>
    public RawClientCall StartRawCall(string fullMethodName, ReadOnlyMemory<byte> request, CallOptions options) =>
        new(this, fullMethodName, options, Framing.Frame(request.Span, Options.CompressRequests));

    public void Dispose()
    {
        if (!_closing.IsCancellationRequested) _closing.Cancel();
        Http.Dispose();
    }

    // Method names are constants of the program: the table ends with them.
    internal Uri UriOf(string fullMethodName) => _uris.GetOrAdd(fullMethodName, static (name, address) => new Uri(address, name), Address);

    protected override Task ShutdownAsyncCore()
    {
        Dispose();
        return Task.CompletedTask;
    }

    private static SocketsHttpHandler CreateHandler(RpcChannelOptions options)
    {
        var handler = new SocketsHttpHandler
        {
            // A gRPC channel is one address: what a web client would follow, keep or unpack is not asked for.
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            EnableMultipleHttp2Connections = true,
            InitialHttp2StreamWindowSize = WindowBytes,
            ConnectTimeout = options.ConnectTimeout,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            KeepAlivePingDelay = options.KeepAlivePingDelay,
            KeepAlivePingTimeout = options.KeepAlivePingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        handler.SslOptions.ApplicationProtocols = [SslApplicationProtocol.Http2];
        if (options.ClientCertificate is { } certificate)
            handler.SslOptions.ClientCertificates = [certificate];
        if (options.ServerRoots is { } roots)
        {
            handler.SslOptions.CertificateChainPolicy = new X509ChainPolicy
            {
                TrustMode = X509ChainTrustMode.CustomRootTrust,
                RevocationMode = X509RevocationMode.NoCheck,
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }

        return handler;
    }
}
