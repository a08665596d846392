using RemoteExec.Rpc.Tests;

namespace RemoteExec.Services.Tests;

/// <summary>Bytes in a right frame that are no message, to every method.</summary>
internal sealed class MalformedMessageTests : ServicesFixture
{
    [TestCase("FFFFFFFFFFFFFFFFFFFF", TestName = "{m}(no tag)")]
    [TestCase("0A800161", TestName = "{m}(a field longer than the message)")]
    public async Task What_is_no_message_is_INVALID_ARGUMENT_and_not_too_large(string hex)
    {
        byte[] body = Convert.FromHexString(hex);
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        int stream = 1;
        foreach (var method in UnwrittenMethodTests.Methods)
        {
            await peer.StartCallAsync(stream, $"/{method.Service.FullName}/{method.Name}");
            await peer.SendDataAsync(stream, isEnd: true, [0, 0, 0, 0, (byte)body.Length, .. body]);
            var answer = await peer.ReadAnswerAsync(stream);
            stream += 2;
            Assert.That(answer["grpc-status"], Is.EqualTo("3").Or.EqualTo("12"), $"{method.FullName}: {answer["grpc-message"]}"); // or not offered
        }
    }
}
