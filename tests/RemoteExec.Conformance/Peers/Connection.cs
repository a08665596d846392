using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using Grpc.Net.Client;

namespace RemoteExec.Conformance;

/// <summary>The way to the server under test, and what it announces.</summary>
internal sealed class Connection : IDisposable
{
    private readonly Lazy<Task<ServerCapabilities>> _capabilities;
    private readonly Lazy<Task<string?>> _whyNoExecution;

    /// <param name="address"><c>grpc://host:port</c>, or <c>grpcs://</c> with TLS.</param>
    public Connection(Uri address, string instance, IReadOnlyList<PlatformProperty> platform)
    {
        Address = new UriBuilder(address) { Scheme = address.Scheme is "grpcs" or "https" ? "https" : "http" }.Uri;
        Instance = instance;
        Platform = platform;
        // No retries and no limits of ours: a check sees what the server does.
        Channel = GrpcChannel.ForAddress(Address, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler { UseProxy = false, EnableMultipleHttp2Connections = true },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = null,
            MaxSendMessageSize = null,
        });
        Raw = new RawClient(Address, TimeSpan.FromSeconds(60));
        _capabilities = new(async () => await new Capabilities.CapabilitiesClient(Channel)
            .GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = Instance }));
        _whyNoExecution = new(() => ExecutionProbe.WhyNotAsync(this));
    }

    public Uri Address { get; }

    /// <summary>How many actions run at once; null where nobody has said it.</summary>
    public int? Slots { get; init; }

    public string Instance { get; }

    public IReadOnlyList<PlatformProperty> Platform { get; }

    public GrpcChannel Channel { get; }

    public RawClient Raw { get; }

    /// <summary>Asked for once.</summary>
    public Task<ServerCapabilities> CapabilitiesAsync() => _capabilities.Value;

    /// <summary>Null where actions are run for us; tried once.</summary>
    public Task<string?> WhyNoExecutionAsync() => _whyNoExecution.Value;

    public void Dispose()
    {
        Channel.Dispose();
        Raw.Dispose();
    }
}
