using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What the client does on the wire, against a server that a test plays frame by frame.</summary>
public sealed class ClientWireTests : ClientWireFixture
{
    [Test]
    public async Task A_call_says_what_it_is_in_its_headers()
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        var headers = Hpack.Decode((await ReadCallAsync(server)).Payload).ToDictionary();
        Assert.That(headers[":path"], Is.EqualTo("/test.Echo/Unary"));
        Assert.That(headers["te"], Is.EqualTo("trailers"));
        Assert.That(headers["content-type"], Is.EqualTo("application/grpc"));
        Assert.That(headers["grpc-accept-encoding"], Is.EqualTo("identity,gzip"));
        Assert.That(headers, Does.Not.ContainKey("grpc-timeout"));
    }

    [TestCase((int)Http2Error.EnhanceYourCalm, StatusCode.ResourceExhausted)]
    [TestCase((int)Http2Error.Cancel, StatusCode.Cancelled)]
    [TestCase((int)Http2Error.InternalError, StatusCode.Internal)]
    public async Task A_reset_by_the_server_becomes_its_status(int error, StatusCode expected)
    {
        var call = Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendResetAsync(stream, (Http2Error)error);
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext())!;
        Assert.That(failure.StatusCode, Is.EqualTo(expected));
    }

    [Test]
    public async Task An_answer_without_a_status_is_no_success()
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendDataAsync(stream, true, FramedHi);
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call)!;
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Internal));
    }

    [TestCase("404", StatusCode.Unimplemented)]
    [TestCase("401", StatusCode.Unauthenticated)]
    [TestCase("500", StatusCode.Unknown)]
    public async Task An_answer_that_is_no_grpc_has_the_status_of_its_http_code(string httpStatus, StatusCode expected)
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await server.SendHeadersAsync(stream, true, (":status", httpStatus), ("content-type", "text/html"));
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call)!;
        Assert.That(failure.StatusCode, Is.EqualTo(expected));
    }
}
