using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

public sealed class CallShapesTests : EchoFixture
{
    [Test]
    public async Task A_unary_call_answers_one_message_with_one() =>
        Assert.That(await Unary("hello"), Is.EqualTo("hello"));

    [Test]
    public async Task An_empty_message_is_a_message() =>
        Assert.That(await Unary(""), Is.Empty);

    [Test]
    public async Task A_message_larger_than_every_window_arrives_whole()
    {
        string large = new('x', 3_500_000);
        Assert.That(await Unary(large), Is.EqualTo(large));
    }

    [Test]
    public async Task A_client_stream_is_answered_once_it_ends()
    {
        using var call = ClientStreaming();
        foreach (string request in (string[])["a", "b", "", "c"]) await call.RequestStream.WriteAsync(request);
        await call.RequestStream.CompleteAsync();
        Assert.That(await call, Is.EqualTo("a,b,,c"));
    }

    [Test]
    public async Task A_client_stream_may_be_empty()
    {
        using var call = ClientStreaming();
        await call.RequestStream.CompleteAsync();
        Assert.That(await call, Is.Empty);
    }

    [Test]
    public async Task A_client_stream_that_is_answered_early_takes_the_rest_in_silence()
    {
        Echo.ClientStreaming = async (requests, _) =>
        {
            await requests.MoveNext(CancellationToken.None);
            return "enough";
        };
        using var call = ClientStreaming();
        await call.RequestStream.WriteAsync("a");
        Assert.That(await call, Is.EqualTo("enough"));
        await call.RequestStream.WriteAsync("b");
        Assert.That(call.GetStatus().StatusCode, Is.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task A_client_stream_that_is_refused_early_tells_the_writer_why()
    {
        Echo.ClientStreaming = (_, _) => throw new RpcException(new Status(StatusCode.PermissionDenied, "not you"));
        using var call = ClientStreaming();
        await FailureOf(call.ResponseAsync);
        var failure = await FailureOf(call.RequestStream.WriteAsync("a"));
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.PermissionDenied));
    }

    [Test]
    public async Task A_server_stream_delivers_every_message_in_order()
    {
        using var call = ServerStreaming("1,2,3");
        var all = new List<string>();
        await foreach (string response in call.ResponseStream.ReadAllAsync()) all.Add(response);
        Assert.That(all, Is.EqualTo((string[])["1", "2", "3"]));
        Assert.That(call.GetStatus().StatusCode, Is.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task A_server_stream_that_fails_halfway_delivers_first_and_fails_then()
    {
        Echo.ServerStreaming = async (_, responses, _) =>
        {
            await responses.WriteAsync("one");
            throw new RpcException(new Status(StatusCode.DataLoss, "the rest is gone"));
        };
        using var call = ServerStreaming("");
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);
        var failure = await FailureOf(call.ResponseStream.MoveNext());
        Assert.That(failure.Status.Detail, Is.EqualTo("the rest is gone"));
    }

    [Test]
    public async Task A_duplex_call_answers_each_message_while_the_next_is_unwritten()
    {
        using var call = Duplex();
        for (int i = 0; i < 100; i++)
        {
            await call.RequestStream.WriteAsync($"m{i}");
            Assert.That(await call.ResponseStream.MoveNext(), Is.True);
            Assert.That(call.ResponseStream.Current, Is.EqualTo($"m{i}"));
        }

        await call.RequestStream.CompleteAsync();
        Assert.That(await call.ResponseStream.MoveNext(), Is.False);
    }

    [Test]
    public async Task A_thousand_calls_at_once_share_the_channel()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i => await Unary($"{i}")));
        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => $"{i}")));
    }

    [Test]
    public void A_blocking_call_works_without_async_code() =>
        Assert.That(Client.BlockingUnaryCall(EchoService.UnaryMethod, null, default, "hello"), Is.EqualTo("hello"));

    [Test]
    public async Task An_unknown_service_and_an_unknown_method_are_unimplemented()
    {
        foreach (string service in (string[])["test.Nothing", EchoService.ServiceName])
        {
            var method = new Method<string, string>(
                MethodType.Unary, service, "Nothing", Marshallers.StringMarshaller, Marshallers.StringMarshaller);
            var failure = await FailureOf(Client.AsyncUnaryCall(method, null, default, "").ResponseAsync);
            Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Unimplemented));
            Assert.That(failure.Status.Detail, Does.Contain($"/{service}/Nothing"));
        }
    }
}
