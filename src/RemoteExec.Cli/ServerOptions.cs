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
        Description = $"the server's address, grpc://HOST:PORT or grpcs://HOST:PORT (also in {AddressVariable})",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(AddressVariable) ?? AddressDefault,
        Recursive = true,
    };

    public Option<string> Instance { get; } = new("--instance")
    {
        Description = "the instance name",
        DefaultValueFactory = _ => "",
        Recursive = true,
    };

    public RemoteServer Connect(ParseResult parsed)
    {
        string text = parsed.GetValue(Address)!; // has a default
        if (!Uri.TryCreate(text.Contains("://", StringComparison.Ordinal) ? text : "grpc://" + text, UriKind.Absolute, out var address)
            || address.Scheme is not ("grpc" or "grpcs") || address.Host.Length == 0 || address.Port < 0)
            throw new ClientException($"--server {text} is not an address; write grpc://HOST:PORT");

        string instance = parsed.GetValue(Instance)!; // has a default
        if (!InstanceName.TryParse(instance, out var name, out string? error))
            throw new ClientException($"--instance {instance}: {error}");
        return new RemoteServer(new Uri($"{(address.Scheme == "grpcs" ? "https" : "http")}://{address.Authority}"), name);
    }
}
