using System.Buffers.Binary;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using RemoteExec.Protocol;
using RemoteExec.Rpc.Tests;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>
/// Buck2 never calls WaitExecution, and has no deadline: a stream that breaks is a failed action to it. So the one that it has stays open from the first message to
/// the result (REAPI 5.6: 4).
/// </summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HeldStreamTests : ExecutionFixture
{
    private const string ExecutePath = "/build.bazel.remote.execution.v2.Execution/Execute";

    // Less than what properties of nobody may wait in these tests, and far more than any keep-alive of anybody's.
    private static readonly TimeSpan Held = TimeSpan.FromMinutes(50);

    /// <summary>The port's patience with its clients passes too.</summary>
    protected override TimeProvider PortTime => Time;

    [Test] // REAPI 5.6: 4, E16
    public async Task One_stream_of_Buck2_is_held_for_an_hour_with_updates_and_has_the_result_at_its_end()
    {
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        await ExecuteAsync(peer, await StoreActionAsync());
        var frames = new OperationFrames(peer);
        var first = await frames.NextAsync();
        Assert.That(StageOf(first), Is.EqualTo(Value.Queued));

        for (var held = TimeSpan.Zero; held < Held; held += Options.BeatInterval)
        {
            await Time.WaitForTimerAsync(Options.BeatInterval); // it is silent, and waits
            Time.Advance(Options.BeatInterval);
            Assert.That(await frames.NextAsync(), Is.EqualTo(first), "no silence is longer than this");
            await peer.PingAsync();
        }

        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        await worker.StartAsync(lease);
        await worker.FinishAsync(lease, new ActionResult { ExitCode = 7 });
        Operation last;
        do last = await frames.NextAsync();
        while (!last.Done);

        Assert.That((last.Name, ResponseOf(last).Result.ExitCode), Is.EqualTo((first.Name, 7)), "the same operation, on the same stream");
        var end = await peer.ReadAsync(frame => frame.StreamId == 1 && frame.Type == Http2FrameType.Headers && frame.IsEndStream);
        Assert.That(Hpack.Decode(end.Payload), Does.Contain(("grpc-status", "0")));
    }

    /// <summary>As tonic writes it: no grpc-timeout, and neither an instance name nor a digest function.</summary>
    private static async Task ExecuteAsync(Http2Peer peer, Digest action)
    {
        byte[] request = new ExecuteRequest { ActionDigest = action.ToWire(), ExecutionPolicy = new ExecutionPolicy(), InlineStdout = true }.ToByteArray();
        byte[] framed = new byte[5 + request.Length];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), request.Length);
        request.CopyTo(framed, 5);
        await peer.SendHeadersAsync(1, false,
            (":method", "POST"), (":scheme", "http"), (":authority", "test"), (":path", ExecutePath),
            ("te", "trailers"), ("content-type", "application/grpc"), ("user-agent", "tonic/0.10.2"));
        await peer.SendDataAsync(1, isEnd: true, framed);
    }

    /// <summary>The messages of stream 1, which come in DATA frames as it happens: several in one, or one in several.</summary>
    private sealed class OperationFrames(Http2Peer peer)
    {
        private byte[] _bytes = [];

        public async Task<Operation> NextAsync()
        {
            while (_bytes.Length < 5 || _bytes.Length < 5 + BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(1)))
            {
                var frame = await peer.ReadAsync(frame => frame.StreamId == 1 && frame.Type is Http2FrameType.Data or Http2FrameType.ResetStream || frame.IsEndStream);
                Assert.That(frame.Type, Is.EqualTo(Http2FrameType.Data), "the stream has ended");
                _bytes = [.. _bytes, .. frame.Payload];
            }

            int end = 5 + BinaryPrimitives.ReadInt32BigEndian(_bytes.AsSpan(1));
            var operation = Operation.Parser.ParseFrom(_bytes, 5, end - 5);
            _bytes = _bytes[end..];
            return operation;
        }
    }
}
