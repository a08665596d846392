using NUnit.Framework;

namespace RemoteExec.Rpc.Tests;

/// <summary>Clients that take an answer slowly, told from those that take none.</summary>
public sealed class SlowClientTests : ServerWireFixture
{
    private static readonly TimeSpan StallMax = new RpcServerOptions().SendStallMax;

    [Test]
    public async Task A_client_that_takes_a_whole_answer_slowly_is_reset_only_when_it_takes_nothing_more()
    {
        using var peer = await AskAsync();
        for (int i = 0; i < 3; i++)
        {
            await TakeAsync(peer, 20_000);
            await Time.WaitForTimerAsync(StallMax);
            Time.Advance(StallMax);
        }

        await Time.WaitForTimerAsync(StallMax);
        Assert.That(peer.Unread, Has.None.Matches<Http2Frame>(frame => frame.Type == Http2FrameType.ResetStream));
        Time.Advance(StallMax);
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task However_slowly_an_answer_is_taken_it_does_not_lie_here_for_ever()
    {
        using var peer = await AskAsync();
        for (int i = 0; i < 10; i++)
        {
            await TakeAsync(peer, 20_000);
            await Time.WaitForTimerAsync(StallMax);
            Time.Advance(StallMax);
        }

        await TakeAsync(peer, 20_000);
        await Time.WaitForTimerAsync(StallMax);
        Time.Advance(StallMax);
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.Cancel));
    }

    private async Task<Http2Peer> AskAsync()
    {
        Echo.Unary = (_, _) => Task.FromResult(new string('x', 4 << 20));
        var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        await Time.WaitForTimerAsync(StallMax);
        return peer;
    }

    /// <summary>Makes room for so many bytes, and reads them.</summary>
    private static async Task TakeAsync(Http2Peer peer, int bytes)
    {
        byte[] room = [0, (byte)(bytes >> 16), (byte)(bytes >> 8), (byte)bytes];
        await peer.SendAsync(Http2FrameType.WindowUpdate, 0, 0, room);
        await peer.SendAsync(Http2FrameType.WindowUpdate, 0, 1, room);
        while (bytes > 0) bytes -= (await peer.ReadAsync(frame => frame is { Type: Http2FrameType.Data, StreamId: 1 })).Payload.Length;
    }
}
