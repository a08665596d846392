using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace RemoteExec.Server.Tests;

/// <summary>The whole composed server inside the test, on ports that the system chose and data of its own.</summary>
internal sealed class InProcessServer : IAsyncDisposable
{
    private readonly TemporaryFolder _data;
    private readonly CancellationTokenSource _stopping = new();
    private readonly RunningServer _server;

    private InProcessServer(TemporaryFolder data, RunningServer server)
    {
        _data = data;
        _server = server;
        Running = server.RunAsync(_stopping.Token);
        Http = new HttpClient { BaseAddress = server.HttpAddress };
        Client = new RemoteClient(new Uri($"http://{server.GrpcEndPoint}"));
    }

    /// <summary>Completes when the server has drained.</summary>
    public Task Running { get; }

    public HttpClient Http { get; }

    public RemoteClient Client { get; }

    public string Welcome => _server.Welcome;

    public static async Task<InProcessServer> StartAsync(params string[] flags)
    {
        var data = new TemporaryFolder();
        try
        {
            var options = Options.Of(["--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", "--data-dir", data.Path, .. flags]);
            var server = await ServerComposition.StartAsync(
                options, TimeProvider.System, new SilentLogs(), NullLoggerFactory.Instance, CancellationToken.None);
            return new InProcessServer(data, server);
        }
        catch
        {
            data.Dispose();
            throw;
        }
    }

    /// <summary>What SIGTERM does.</summary>
    public void BeginStop() => _stopping.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await Running;
        Client.Dispose();
        Http.Dispose();
        await _server.DisposeAsync();
        _stopping.Dispose();
        _data.Dispose();
    }

    private sealed class SilentLogs : ILoggerProvider
    {
        public ILogger CreateLogger(string categoryName) => NullLogger.Instance;

        public void Dispose()
        {
        }
    }
}
