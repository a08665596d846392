using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>How much a server takes in headers, and how much it puts there.</summary>
public sealed class ServerHeaderTests : ServerWireFixture
{
    [Test]
    public async Task Metadata_of_many_kilobytes_is_served()
    {
        Echo.Unary = (_, context) => Task.FromResult($"{context.RequestHeaders.GetValueBytes("meta-bin")!.Length}");
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("meta-bin", Convert.ToBase64String(new byte[40 * 1024])));
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        Assert.That(System.Text.Encoding.ASCII.GetString(answer.Data.AsSpan(5)), Is.EqualTo($"{40 * 1024}"));
    }

    [TestCase(3, 60_000, TestName = "Headers_beyond_the_limit_of_their_size_are_refused_and_the_connection_lives_on")]
    [TestCase(101, 1, TestName = "Headers_beyond_the_limit_of_their_number_are_refused_and_the_connection_lives_on")]
    public async Task Headers_beyond_a_limit_are_refused(int count, int valueBytes)
    {
        using var peer = await ConnectAsync();
        await peer.SendLongHeadersAsync(1, [.. Enumerable.Range(0, count).Select(i => ($"x{i}", new string('x', valueBytes)))]);
        Assert.That((await peer.ReadAnswerAsync(1))[":status"], Is.EqualTo("431"));
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task One_header_beyond_the_limit_of_a_field_ends_its_connection_and_no_other()
    {
        using var other = await ConnectAsync();
        using var hostile = await ConnectAsync();
        await hostile.SendLongHeadersAsync(1, ("x", new string('x', 100_000)));
        // Its GOAWAY is lost where the socket closes over headers that are still coming in. That it ends is certain.
        Assert.That(await hostile.ReadToEndAsync(), Has.None.Matches<Http2Frame>(frame => frame.Type == Http2FrameType.Headers));
        await AssertServesAsync(other, 1);
    }

    [Test]
    public async Task A_sentence_that_is_too_long_for_the_clients_headers_is_cut()
    {
        // 8 KiB of headers is what Bazel's client takes: with more it sees a broken stream, and no code.
        Echo.Unary = (_, _) => throw new RpcException(new Status(StatusCode.FailedPrecondition, new string('x', 4_000) + new string('ß', 10_000)));
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.FailedPrecondition);
        Assert.That(answer["grpc-message"], Has.Length.LessThan(3_000).And.StartsWith("xxx"));
    }
}
