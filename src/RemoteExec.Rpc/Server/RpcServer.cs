using System.Net;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace RemoteExec.Rpc;

/// <summary>
/// A gRPC server: add services, start, stop.
/// <code>
/// await using var server = new RpcServer(options);
/// server.AddService(Execution.BindService(new ExecutionService(...)));
/// await server.StartAsync(cancellationToken);
/// </code>
/// </summary>
public sealed class RpcServer : IAsyncDisposable
{
    private readonly RpcServerOptions _options;
    private readonly MethodTable _table = new();
    private readonly CancellationTokenSource _draining = new(); // never disposed: handlers may still look at its token
    private readonly OpenConnections _connections = new();
    private KestrelServer? _kestrel;
    private ListenerHandle? _listener;
    private IHost? _services;
    private IPEndPoint? _endPoint;

    public RpcServer(RpcServerOptions options) => _options = options;

    /// <summary>Where it listens, once started.</summary>
    public IPEndPoint EndPoint => _endPoint ?? throw new InvalidOperationException("the server is not started");

    /// <summary>What a client of this server connects to.</summary>
    public Uri Address => new($"{(_options.Tls is null ? "http" : "https")}://{EndPoint}");

    /// <summary>
    /// Fires when the server starts to drain: handlers of streams that would never end by themselves watch it and
    /// end them with UNAVAILABLE, so that clients go elsewhere.
    /// </summary>
    public CancellationToken Draining => _draining.Token;

    public void AddService(ServerServiceDefinition service)
    {
        ThrowIfStarted();
        service.BindService(_table);
    }

    /// <summary>
    /// Serves <c>/service/method</c> on its bytes; takes the place of the typed handler of that method, if there
    /// is one.
    /// </summary>
    public void AddRawMethod(string fullName, RawServerMethod handler)
    {
        ThrowIfStarted();
        _table.Add(new BoundRawMethod(fullName, handler));
    }

    /// <exception cref="IOException">the address is in use</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        ThrowIfStarted();
        foreach (var method in _table.Methods.Values)
            if (_options.Methods.TryGetValue(method.FullName, out var methodOptions))
                method.Options = methodOptions;

        _services = _options.Tls is null ? null : CreateServices();
        var kestrelOptions = new KestrelServerOptions
        {
            ApplicationServices = _services?.Services!, // only TLS asks
            AddServerHeader = false,
            AllowSynchronousIO = false,
        };
        TransportLimits.Apply(kestrelOptions.Limits, _options);
        kestrelOptions.Listen(_options.EndPoint, Configure);

        _listener = new ListenerHandle(new SocketTransportFactory(Options.Create(TransportLimits.Sockets), _options.Log));
        _kestrel = new KestrelServer(Options.Create(kestrelOptions), _listener, _options.Log);
        await _kestrel.StartAsync(new RpcApplication(_options, _table.Methods), cancellationToken);

        string address = _kestrel.Features.Get<IServerAddressesFeature>()!.Addresses.First(); // Listen added exactly one
        var uri = new Uri(address);
        _endPoint = new IPEndPoint(_options.EndPoint.Address, uri.Port);
    }

    /// <summary>
    /// Drains: no new connections, GOAWAY on those there are (RFC 9113 section 6.8), running calls finish within
    /// <see cref="RpcServerOptions.DrainMax"/>; what is left then is cut off.
    /// </summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        if (_kestrel is null || _listener is null) return;
        await _draining.CancelAsync();
        await _listener.UnbindAsync(CancellationToken.None);
        using var time = new CancellationTokenSource(_options.DrainMax, _options.Time);
        using var cut = CancellationTokenSource.CreateLinkedTokenSource(time.Token, cancellationToken);
        try
        {
            await _connections.CloseAsync().WaitAsync(cut.Token);
        }
        catch (OperationCanceledException)
        {
            // Time is up: the rest is cut off.
        }

        // Not cut off at once: the last bytes of connections that have ended well may still be on their way out.
        await _kestrel.StopAsync(cut.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(new CancellationToken(canceled: true)); // whoever wanted to drain has called StopAsync
        _kestrel?.Dispose();
        _services?.Dispose();
    }

    private void ThrowIfStarted()
    {
        if (_kestrel is not null) throw new InvalidOperationException("the server is already started");
    }

    private void Configure(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(_connections.Wrap);
        if (_options.Tls is { } tls) listen.UseHttps(Configure(tls));
        var guard = new PrefaceGuard(_options);
        listen.Use(guard.Wrap);
    }

    private static HttpsConnectionAdapterOptions Configure(RpcServerTls tls)
    {
        var https = new HttpsConnectionAdapterOptions
        {
            ServerCertificateSelector = (_, _) => tls.Certificate(),
            SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
            HandshakeTimeout = TimeSpan.FromSeconds(10),
        };
        if (tls.ClientRoots is not { } roots) return https;

        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        https.ClientCertificateValidation = (certificate, _, _) => LeadsTo(roots, certificate);
        return https;
    }

    // The system's roots would accept a certificate that anybody can buy: only ours count.
    private static bool LeadsTo(X509Certificate2Collection roots, X509Certificate2 certificate)
    {
        using var chain = new X509Chain();
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(roots);
        chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        return chain.Build(certificate);
    }

    /// <summary>
    /// Kestrel's TLS takes its metrics from a container, and their type is not public: a host that is built but
    /// never started has them.
    /// </summary>
    private IHost CreateServices() => new HostBuilder()
        .ConfigureWebHost(web => web.UseKestrelCore().UseKestrelHttpsConfiguration().Configure(_ => { }))
        .ConfigureServices(services => services.AddSingleton(_options.Log))
        .Build();
}
