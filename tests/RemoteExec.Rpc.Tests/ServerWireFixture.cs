using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A real server whose clock a test moves, for a peer that speaks raw frames.</summary>
public abstract class ServerWireFixture : EchoFixture
{
    protected const string UnaryPath = "/test.Echo/Unary";
    protected const string ClientStreamingPath = "/test.Echo/ClientStreaming";
    protected const string ServerStreamingPath = "/test.Echo/ServerStreaming";
    protected const string DuplexPath = "/test.Echo/Duplex";
    protected const string BytesPath = "/test.Echo/Bytes";

    protected static readonly byte[] FramedHi =
    [
        0, // as is
        0, 0, 0, 2, // length
        (byte)'h', (byte)'i',
    ];

    /// <summary>What comes over a real connection may take as long as a busy machine needs; this is for ever.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    internal ManualTime Time { get; private set; } = new();

    /// <summary>Makes the byte method write for as long as somebody takes it; the task is done when it has ended.</summary>
    protected Task WriteWithoutEnd()
    {
        var isEnded = NewEvent();
        Echo.Bytes = async (_, responses, _) =>
        {
            try
            {
                while (true) await responses.WriteAsync(new BytePiece(new byte[100_000]));
            }
            finally
            {
                isEnded.SetResult();
            }
        };
        return isEnded.Task;
    }

    /// <summary>Lets the stall limit pass until the handler ends: several writes may wait for a moment each before the one that waits for ever.</summary>
    protected async Task PassStallAsync(Task handlerEnds)
    {
        while (!handlerEnds.IsCompleted)
        {
            await Task.WhenAny(handlerEnds, Time.WaitForTimerAsync(new RpcServerOptions().SendStallMax));
            Time.Advance(new RpcServerOptions().SendStallMax);
        }
    }

    protected override RpcServerOptions Configure(RpcServerOptions options)
    {
        Time = new ManualTime(); // called once for each test
        return options with { Time = Time };
    }

    internal static void AssertStatus(Http2Answer answer, StatusCode expected) =>
        Assert.That(answer["grpc-status"], Is.EqualTo($"{(int)expected}"), answer["grpc-message"]);

    /// <summary>The connection has survived: another call on it is served.</summary>
    internal async Task AssertServesAsync(Http2Peer peer, int streamId)
    {
        Echo.Unary = (request, _) => Task.FromResult(request);
        await peer.StartCallAsync(streamId, UnaryPath);
        await peer.SendDataAsync(streamId, isEnd: true, FramedHi);
        Assert.That((await peer.ReadAnswerAsync(streamId)).Data, Is.EqualTo(FramedHi));
    }

    internal Task<Http2Peer> ConnectAsync(params (short Id, int Value)[] settings) => Http2Peer.ConnectAsync(Server.EndPoint, settings);

    protected static TaskCompletionSource NewEvent() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
