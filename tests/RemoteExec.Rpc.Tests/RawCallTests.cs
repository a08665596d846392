using System.Buffers;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

public sealed class RawCallTests : EchoFixture
{
    private const string Path = "/test.Raw/Sum";

    private RawServerMethod _raw = _ => Task.CompletedTask;

    protected override void AddMethods(RpcServer server) => server.AddRawMethod(Path, call => _raw(call));

    [Test]
    public async Task Bytes_travel_both_ways_in_messages_of_any_size()
    {
        _raw = async call =>
        {
            while (await call.Requests.MoveNextAsync(CancellationToken.None))
            {
                int length = (int)call.Requests.Current.Length;
                call.Responses.BeginMessage(length);
                foreach (var segment in call.Requests.Current) call.Responses.Write(segment.Span);
                await call.Responses.EndMessageAsync(CancellationToken.None);
            }
        };
        using var call = Channel.StartRawCall(Path, default);
        foreach (int size in (int[])[0, 1, 5, 4096, 1_000_000, 4 * 1024 * 1024])
        {
            byte[] message = new byte[size];
            new Random(size).NextBytes(message);
            Assert.That(await call.Requests.WriteAsync(message, CancellationToken.None), Is.True);
            Assert.That(await call.MoveNextAsync(CancellationToken.None), Is.True);
            Assert.That(call.Current.ToArray(), Is.EqualTo(message));
        }

        call.CompleteRequests();
        Assert.That(await call.MoveNextAsync(CancellationToken.None), Is.False);
        Assert.That(call.GetStatus().StatusCode, Is.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task A_writer_learns_that_the_server_has_answered_already()
    {
        _raw = call => call.Responses.WriteAsync("have it"u8.ToArray(), CancellationToken.None).AsTask();
        using var call = Channel.StartRawCall(Path, default);
        Assert.That(await call.MoveNextAsync(CancellationToken.None), Is.True);
        Assert.That(call.Current.ToArray(), Is.EqualTo("have it"u8.ToArray()));
        Assert.That(await call.MoveNextAsync(CancellationToken.None), Is.False);
        Assert.That(await call.Requests.WriteAsync("more"u8.ToArray(), CancellationToken.None), Is.False);
    }

    [Test]
    public async Task A_message_cannot_differ_from_its_announced_length()
    {
        var failures = new List<Exception?>();
        _raw = call =>
        {
            call.Responses.BeginMessage(2);
            failures.Add(Assert.Catch<InvalidOperationException>(() => call.Responses.Write("abc"u8)));
            failures.Add(Assert.CatchAsync<InvalidOperationException>(async () => await call.Responses.EndMessageAsync(CancellationToken.None)));
            call.Responses.Write("ab"u8);
            return Task.CompletedTask;
        };
        using var call = Channel.StartRawCall(Path, ReadOnlyMemory<byte>.Empty, default);
        Assert.That(await call.MoveNextAsync(CancellationToken.None), Is.True);
        Assert.That(failures, Has.Count.EqualTo(2).And.All.Not.Null);
    }
}
