using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace RemoteExec.Server;

/// <summary>Certificates of authorities that an operator names.</summary>
internal static class CertificateFile
{
    /// <returns>At least one.</returns>
    /// <exception cref="ServerRefusedException">One sentence for the operator.</exception>
    public static X509Certificate2Collection Read(string path)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPemFile(path);
        }
        catch (Exception unread) when (unread is IOException or UnauthorizedAccessException or CryptographicException)
        {
            throw new ServerRefusedException($"--fetch-ca {path} cannot be read: {unread.Message}");
        }

        return certificates.Count > 0
            ? certificates
            : throw new ServerRefusedException($"--fetch-ca {path} has no certificate; it wants PEM, which begins with -----BEGIN CERTIFICATE-----");
    }
}
