using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Grpc.Core;

namespace RemoteExec.Assets.Tests;

/// <summary>Whom an https origin has to be vouched for by.</summary>
public sealed class FetchHttpsTests : AssetFixture
{
    private static readonly X509Certificate2 Authority = Issue("CN=authority", issuer: null);

    [Test]
    public async Task An_origin_is_trusted_by_an_authority_that_the_operator_names()
    {
        await ReopenAsync(Options with { Authorities = [Authority] });
        await using var origin = new HttpOriginServer(Issue("CN=origin", Authority));
        origin.Serve("/a", Encoding.UTF8.GetBytes("over tls"));

        var answer = await FetchBlobAsync(origin.UriOf("/a"));

        Assert.That(answer.Failure?.Status.Detail, Is.Null);
        Assert.That(await ReadAsync(answer.Digest), Is.EqualTo("over tls"));
    }

    [Test]
    public async Task An_origin_that_nobody_vouches_for_is_not_read()
    {
        await using var origin = new HttpOriginServer(Issue("CN=origin", Authority));
        origin.Serve("/a", [1]);

        AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied, "--fetch-ca");
        await ReopenAsync(Options with { Authorities = [Issue("CN=another", issuer: null)] });
        AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied, "--fetch-ca");
        Assert.That(origin.Requests, Is.Empty);
    }

    [Test]
    public async Task An_authority_vouches_for_the_names_in_its_certificates_and_for_servers_only()
    {
        await ReopenAsync(Options with { Authorities = [Authority] });
        await using var other = new HttpOriginServer(Issue("CN=origin", Authority, host: "127.0.0.2"));
        await using var client = new HttpOriginServer(Issue("CN=origin", Authority, usage: "1.3.6.1.5.5.7.3.2"));
        await using var old = new HttpOriginServer(Issue("CN=origin", Authority, days: -1));

        foreach (var origin in new[] { other, client, old })
        {
            origin.Serve("/a", [1]);
            AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied, "--fetch-ca");
            Assert.That(origin.Requests, Is.Empty);
        }
    }

    /// <summary>REAPI S4: the origin chooses that address, so it would be a way around the guard.</summary>
    [Test]
    public async Task Where_a_certificate_says_its_authority_is_found_nobody_looks()
    {
        var unknown = Issue("CN=unknown", issuer: null);
        await using var origin = new HttpOriginServer(Issue("CN=origin", unknown, issuerAt: Origin.UriOf("/issuer.crt")));
        Origin.Serve("/issuer.crt", unknown.Export(X509ContentType.Cert));
        origin.Serve("/a", [1]);

        AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied);
        await ReopenAsync(Options with { Authorities = [Authority] });
        AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied);
        Assert.That(Origin.Requests, Is.Empty);
    }

    [Test]
    public async Task A_redirect_to_http_is_followed_with_a_checksum_only()
    {
        await ReopenAsync(Options with { Authorities = [Authority] });
        await using var origin = new HttpOriginServer(Issue("CN=origin", Authority));
        origin.Redirect("/a", Origin.UriOf("/b"));
        Origin.Serve("/b", Encoding.UTF8.GetBytes("there"));

        AssertFailed(await FetchBlobAsync(origin.UriOf("/a")), StatusCode.PermissionDenied, "checksum");
        Assert.That((await FetchBlobAsync(origin.UriOf("/a"), ("checksum.sri", Sri("there")))).Failure, Is.Null);
    }

    private static X509Certificate2 Issue(
        string name, X509Certificate2? issuer, string host = "127.0.0.1", string usage = "1.3.6.1.5.5.7.3.1", int days = 1, string? issuerAt = null)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: issuer is null, false, 0, critical: true));
        // By the real clock: that is what certificates are looked at by.
        var now = TimeProvider.System.GetUtcNow();
        var (from, until) = (now.AddDays(-2), now.AddDays(days));
        if (issuer is null) return request.CreateSelfSigned(from.AddDays(-1), until.AddDays(1));

        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Parse(host));
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(usage)], critical: false));
        if (issuerAt is not null) request.CertificateExtensions.Add(new X509AuthorityInformationAccessExtension(ocspUris: null, caIssuersUris: [issuerAt]));
        return request.Create(issuer, from, until, RandomNumberGenerator.GetBytes(8)).CopyWithPrivateKey(key);
    }
}
