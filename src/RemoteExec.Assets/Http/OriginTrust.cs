using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace RemoteExec.Assets;

/// <summary>Which https origins are who they say: those that the machine trusts, and those of authorities that the operator names.</summary>
internal static class OriginTrust
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1"; // RFC 5280, 4.2.1.12

    public static SslClientAuthenticationOptions Of(X509Certificate2Collection authorities) => new()
    {
        CertificateChainPolicy = Policy(),
        RemoteCertificateValidationCallback = authorities.Count == 0 ? null : (_, certificate, chain, errors) =>
            errors == SslPolicyErrors.None
            // Its name is right, and only whom it leads to is unknown.
            || (errors == SslPolicyErrors.RemoteCertificateChainErrors && certificate is X509Certificate2 leaf && LeadsTo(authorities, leaf, chain)),
    };

    // An origin could name any address as the place of its authority's certificate, or of its list of revoked ones, and have it asked behind the guard's back.
    private static X509ChainPolicy Policy() => new()
    {
        DisableCertificateDownloads = true,
        RevocationMode = X509RevocationMode.NoCheck,
        ApplicationPolicy = { new Oid(ServerAuthentication) },
    };

    private static bool LeadsTo(X509Certificate2Collection authorities, X509Certificate2 leaf, X509Chain? presented)
    {
        using var chain = new X509Chain { ChainPolicy = Policy() };
        chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        chain.ChainPolicy.CustomTrustStore.AddRange(authorities);
        if (presented is not null)
        {
            chain.ChainPolicy.ExtraStore.AddRange(presented.ChainPolicy.ExtraStore); // what came with the leaf
            foreach (var element in presented.ChainElements) chain.ChainPolicy.ExtraStore.Add(element.Certificate);
        }

        return chain.Build(leaf);
    }
}
