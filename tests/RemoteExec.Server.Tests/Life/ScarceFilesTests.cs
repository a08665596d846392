using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Health.V1;

namespace RemoteExec.Server.Tests;

/// <summary>A process that may open few files, and more connections than that.</summary>
public sealed class ScarceFilesTests
{
    private const int FilesMax = 1000;

    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60); // a hang becomes a failure

    [Test]
    public async Task More_connections_than_there_are_descriptors_end_no_server()
    {
        using var folder = new TemporaryFolder();
        await using var server = ServerProgram.StartUnder(["sh", "-c", $"ulimit -n {FilesMax}; exec \"$@\"", "sh"], ["--data-dir", folder.Path]);
        var address = await server.ReadyAsync();
        var crowd = new List<Socket>();
        try
        {
            for (int i = 0; i < FilesMax * 5 / 4; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                crowd.Add(socket);
                await socket.ConnectAsync(IPAddress.Loopback, address.Port).WaitAsync(Within);
            }

            Assert.That(await IsClosedAsync(crowd[^1]), "beyond what it can bear, connections are closed");
        }
        finally
        {
            crowd.ForEach(socket => socket.Dispose());
        }

        using var client = new RemoteClient(address);
        using var soon = new CancellationTokenSource(Within);
        while (!await IsServingAsync(client, soon.Token)) { }
        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
    }

    [TestCase(1000L, ExpectedResult = 250)]
    [TestCase(1L, ExpectedResult = 1)]
    [TestCase(1_000_000L, ExpectedResult = 20_000)]
    [TestCase(null, ExpectedResult = 20_000)]
    public int Connections_get_a_quarter_of_the_descriptors(long? openFilesMax) => Rpc.RpcServerOptions.ConnectionsMaxOf(openFilesMax);

    /// <summary>False while it has not noticed yet that the crowd is gone.</summary>
    private static async Task<bool> IsServingAsync(RemoteClient client, CancellationToken soon)
    {
        try
        {
            var health = await client.Health.CheckAsync(new HealthCheckRequest(), new CallOptions(cancellationToken: soon));
            return health.Status == HealthCheckResponse.Types.ServingStatus.Serving;
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.Unavailable)
        {
            return false;
        }
    }

    private static async Task<bool> IsClosedAsync(Socket socket)
    {
        try
        {
            byte[] any = new byte[1];
            // What is open would say nothing: its client has not begun.
            return await socket.ReceiveAsync(any).WaitAsync(Within) == 0;
        }
        catch (SocketException)
        {
            return true;
        }
    }
}
