using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

public sealed class TlsTests
{
    [Test]
    public async Task A_call_over_tls_proves_both_sides()
    {
        using var serverCertificate = CreateCertificate("server");
        using var clientCertificate = CreateCertificate("ada");
        await using var server = await StartAsync(serverCertificate, clientCertificate);
        using var channel = new RpcChannel(server.Address, new RpcChannelOptions
        {
            ServerRoots = [serverCertificate],
            ClientCertificate = clientCertificate,
        });
        Assert.That(await CallAsync(channel), Is.EqualTo("ada"));
    }

    [Test]
    public async Task A_server_that_the_client_does_not_trust_is_unavailable()
    {
        using var serverCertificate = CreateCertificate("server");
        await using var server = await StartAsync(serverCertificate, null);
        using var channel = new RpcChannel(server.Address, new RpcChannelOptions { Retry = RetryPolicy.None });
        var failure = Assert.ThrowsAsync<RpcException>(() => CallAsync(channel))!;
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_client_that_the_server_does_not_trust_is_not_served()
    {
        using var serverCertificate = CreateCertificate("server");
        using var clientCertificate = CreateCertificate("ada");
        using var stranger = CreateCertificate("eve");
        await using var server = await StartAsync(serverCertificate, clientCertificate);
        using var channel = new RpcChannel(server.Address, new RpcChannelOptions
        {
            ServerRoots = [serverCertificate],
            ClientCertificate = stranger,
            Retry = RetryPolicy.None,
        });
        Assert.ThrowsAsync<RpcException>(() => CallAsync(channel));
    }

    private static async Task<string> CallAsync(RpcChannel channel) =>
        await channel.CreateCallInvoker().AsyncUnaryCall(EchoService.UnaryMethod, null, default, "");

    private static async Task<RpcServer> StartAsync(X509Certificate2 certificate, X509Certificate2? clientRoot)
    {
        var server = new RpcServer(new RpcServerOptions
        {
            Tls = new RpcServerTls
            {
                Certificate = () => certificate,
                ClientRoots = clientRoot is null ? null : [clientRoot],
            },
        });
        var echo = new EchoService
        {
            Unary = (_, context) => Task.FromResult(string.Join(",", context.AuthContext.PeerIdentity.Select(property => property.Value))),
        };
        server.AddService(echo.Bind());
        await server.StartAsync(CancellationToken.None);
        return server;
    }

    private static X509Certificate2 CreateCertificate(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        request.CertificateExtensions.Add(names.Build());
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
    }
}
