namespace RemoteExec.Web;

/// <summary>Environment variables whose values a page must not show.</summary>
internal static class SecretNames
{
    private static readonly string[] Words = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "PRIVATE_KEY", "API_KEY", "APIKEY"];

    public static bool Match(string name) => Words.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase));
}
