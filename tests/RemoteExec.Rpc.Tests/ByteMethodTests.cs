using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>Methods that read and write their own bytes.</summary>
public sealed class ByteMethodTests : EchoFixture
{
    [Test]
    public async Task Bytes_travel_both_ways_in_messages_of_any_size()
    {
        using var call = Bytes();
        foreach (int size in (int[])[0, 1, 5, 4096, 1_000_000, 4 * 1024 * 1024])
        {
            byte[] message = new byte[size];
            new Random(size).NextBytes(message);
            await call.RequestStream.WriteAsync(new BytePiece(message));
            Assert.That(await call.ResponseStream.MoveNext(), Is.True);
            Assert.That(call.ResponseStream.Current.Bytes, Is.EqualTo(message));
        }

        await call.RequestStream.CompleteAsync();
        Assert.That(await call.ResponseStream.MoveNext(), Is.False);
        Assert.That(call.GetStatus().StatusCode, Is.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task A_method_that_was_added_before_its_service_takes_the_place_of_the_generated_one()
    {
        var methods = new RpcMethods();
        methods.Add<BytePiece>(RpcLimits.Default, binder => binder.AddMethod(EchoService.UnaryMethod, (string _, ServerCallContext _) => Task.FromResult("first")));
        methods.Add<EchoService>(RpcLimits.Default, Echo.Bind);
        await using var server = await RpcLoopback.StartAsync(methods);
        using var channel = RpcChannels.Create(server.Address);

        Assert.That(await channel.CreateCallInvoker().AsyncUnaryCall(EchoService.UnaryMethod, null, default, ""), Is.EqualTo("first"));
        using var other = channel.CreateCallInvoker().AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, default, "of the service");
        Assert.That(await other.ResponseStream.MoveNext());
    }

    [TestCase(typeof(FormatException))]
    [TestCase(typeof(EndOfStreamException))] // an IOException, as what a protobuf parser throws: a size is refused by that type itself
    public async Task A_request_that_its_method_cannot_read_is_INVALID_ARGUMENT(Type failure)
    {
        var broken = new Marshaller<string>(_ => [], _ => throw (Exception)Activator.CreateInstance(failure)!);
        var method = new Method<string, string>(MethodType.Unary, "test.Broken", "Unary", broken, Marshallers.StringMarshaller);
        var methods = new RpcMethods();
        methods.Add<ByteMethodTests>(RpcLimits.Default, binder => binder.AddMethod(method, (string _, ServerCallContext _) => Task.FromResult("")));
        await using var server = await RpcLoopback.StartAsync(methods);
        using var channel = RpcChannels.Create(server.Address);

        var answer = await FailureOf(channel.CreateCallInvoker().AsyncUnaryCall(method, null, default, "").ResponseAsync);
        Assert.That((answer.StatusCode, answer.Status.Detail), Is.EqualTo((StatusCode.InvalidArgument, "the request is not a valid message")));
    }

    [Test]
    public async Task A_thousand_calls_at_once_share_the_channel()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async i => await Unary($"{i}")));
        Assert.That(answers, Is.EqualTo(Enumerable.Range(0, 1000).Select(i => $"{i}")));
    }
}
