using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RemoteExec.Server.Tests;

/// <summary>Bodies of calls with JSON that are broken before they are any text.</summary>
public sealed class JsonBodyTests
{
    // A line that does not come fails the test, and does not hang the run.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    [TestCase("x\r\n")]
    [TestCase("FFFFFFFFFFFFFFFF\r\n")] // no number of Kestrel's holds it, and it says so by an exception of another kind
    public async Task A_chunk_whose_size_is_none_is_the_callers_mistake(string chunk)
    {
        await using var server = await InProcessServer.StartAsync("--roles", "coordinator,storage");
        using var socket = new TcpClient();
        await socket.ConnectAsync(IPAddress.Loopback, server.Http.BaseAddress!.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /v2/blobs:findMissing HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"));
        using var reader = new StreamReader(stream);

        Assert.That(await reader.ReadLineAsync().WaitAsync(Patience), Does.StartWith("HTTP/1.1 400"));
    }
}
