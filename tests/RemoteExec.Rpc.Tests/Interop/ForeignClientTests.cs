using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>Clients of other implementations against our server.</summary>
public sealed class ForeignClientTests : EchoFixture
{
    [SetUp]
    public void ServeWhatThePeersAsk() => Echo.Unary = async (request, context) =>
    {
        if (request == "fail") throw new RpcException(new Status(StatusCode.FailedPrecondition, "100 % ß"), new Metadata { { "grpc-status-details-bin", [8, 9] } });
        if (request == "hang") await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        foreach (var entry in context.RequestHeaders)
            if (entry.Key.StartsWith("echo-", StringComparison.Ordinal)) context.ResponseTrailers.Add(entry);
        return request;
    };

    [Test]
    public async Task A_python_client_is_served()
    {
        string python = await Peer.RequirePythonAsync();
        var (exitCode, output) = await Peer.RunAsync(python, Peer.Script("echo_client.py"), $"{Server.EndPoint}");
        Assert.That(exitCode, Is.Zero, output);
        Assert.That(output, Does.EndWith("done\n"));
    }

    [Test]
    public async Task A_cpp_client_is_served()
    {
        string directory = Directory.CreateTempSubdirectory("rpc-interop-").FullName;
        try
        {
            string client = await Peer.CompileAsync("echo_client.cc", directory);
            var (exitCode, output) = await Peer.RunAsync(client, $"{Server.EndPoint}");
            Assert.That(exitCode, Is.Zero, output);
            Assert.That(output, Does.EndWith("done\n"));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
