using System.CommandLine;
using RemoteExec.Client;

namespace RemoteExec.Cli;

/// <summary>The options that every verb has: which server, which instance.</summary>
internal sealed class ServerOptions
{
    public const string AddressVariable = "REXEC_SERVER";
    private const string AddressDefault = "grpc://127.0.0.1:8980";

    public Option<string> Address { get; } = new("--server")
    {
        Description = $"the server: grpc://HOST:PORT, grpcs://HOST:PORT or HOST:PORT (also in {AddressVariable})",
        HelpName = "ADDRESS",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } set ? set : AddressDefault,
        Recursive = true,
    };

    public Option<string> Instance { get; } = new("--instance")
    {
        Description = "the instance name",
        HelpName = "NAME",
        DefaultValueFactory = _ => "",
        Recursive = true,
    };

    public Option<string?> Http { get; } = new("--http")
    {
        Description = "the server's web address, for status and for hashes without a size; the gRPC port plus one when left out",
        HelpName = "URL",
        Recursive = true,
    };

    public RemoteServer Connect(ParseResult parsed)
    {
        string text = AddressOf(parsed);
        if (!Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "grpc://" + text, UriKind.Absolute, out var address)
            || address.Scheme is not ("grpc" or "grpcs") || address.Host.Length == 0 || address.Port < 0
            || address.UserInfo.Length > 0 || address.PathAndQuery.Trim('/').Length > 0 || address.Fragment.Length > 0)
            throw new ClientException($"--server {text} is not an address; write grpc://HOST:PORT, grpcs://HOST:PORT with TLS, or HOST:PORT");

        string instance = parsed.GetValue(Instance)!; // has a default
        if (!InstanceName.TryParse(instance, out var name, out string? error))
            throw new ClientException($"--instance {instance}: {error}");
        return new RemoteServer(new Uri($"{(address.Scheme == "grpcs" ? "https" : "http")}://{address.Authority}"), name, HttpOf(parsed, address));
    }

    /// <summary>As it was written, for a sentence about it.</summary>
    public string AddressOf(ParseResult parsed) => parsed.GetValue(Address)!; // has a default

    private Uri HttpOf(ParseResult parsed, Uri grpc)
    {
        if (parsed.GetValue(Http) is not { } text) return new Uri($"http://{grpc.Host}:{Math.Min(grpc.Port + 1, ushort.MaxValue)}");

        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address.Scheme is "http" or "https" && address.Host.Length > 0
            ? address
            : throw new ClientException($"--http {text} is not an address; write http://HOST:PORT");
    }
}
