using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using RemoteExec.Hosting;

namespace RemoteExec.Server.Tests;

/// <summary>The whole composed server inside the test, on ports that the system chose and data of its own.</summary>
internal sealed class InProcessServer : IAsyncDisposable
{
    private readonly TemporaryFolder _data = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly StringWriter _output = new();
    private ProgramRun? _run;
    private ServerPorts? _host;

    private InProcessServer()
    {
    }

    /// <summary>Completes when the server has drained.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    public HttpClient Http { get; } = new();

    public RemoteClient Client { get; private set; } = null!; // set before anybody has this

    public string Welcome => _output.ToString();

    /// <summary>What the host of the process has in hand.</summary>
    public ServerPorts Host => _host!; // set before anybody has this

    public static Task<InProcessServer> StartAsync(params string[] flags) => StartAsync(TimeProvider.System, flags);

    public static async Task<InProcessServer> StartAsync(TimeProvider time, params string[] flags)
    {
        var server = new InProcessServer();
        try
        {
            await server.BeginAsync(Options.Of(["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", server._data.Path, .. flags]), time);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>What SIGTERM does.</summary>
    public void BeginStop() => _stopping.Cancel();

    /// <summary>Disposes of everything without a word to anybody.</summary>
    public async Task DropAsync()
    {
        Running = Task.CompletedTask; // nobody waits for an orderly end any more
        await Host.DisposeAsync();
        _host = null;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Running.WaitAsync(TimeSpan.FromMinutes(1)); // a hang becomes a failure
        Client?.Dispose();
        Http.Dispose();
        if (_host is not null) await _host.DisposeAsync();
        _run?.Dispose();
        _stopping.Dispose();
        _data.Dispose();
    }

    private async Task BeginAsync(ServerOptions options, TimeProvider time)
    {
        _run = new ProgramRun(NullLoggerFactory.Instance, time, options.DrainMax, _output, _stopping.Token, CancellationToken.None);
        _host = await ServerComposition.ComposeAsync(options, [], _run, CancellationToken.None);
        await _host.StartAsync(CancellationToken.None);
        Http.BaseAddress = _host.Web.Address;
        Client = new RemoteClient(new Uri($"http://{_host.Rpc.EndPoint}"));
        Running = _host.WaitForShutdownAsync(CancellationToken.None);
    }
}
