using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf.Reflection;
using RemoteExec.Rpc.Tests;

namespace RemoteExec.Services.Tests;

/// <summary>Methods of the services we offer that nobody has written: their generated base answers without a word.</summary>
internal sealed class UnwrittenMethodTests : ServicesFixture
{
    // No message at all, in its frame.
    private static readonly byte[] EmptyMessage = new byte[5];

    internal static IEnumerable<MethodDescriptor> Methods =>
        from service in (ServiceDescriptor[])
        [
            Capabilities.Descriptor, ContentAddressableStorage.Descriptor, ByteStream.Descriptor, Build.Bazel.Remote.Execution.V2.ActionCache.Descriptor,
            Build.Bazel.Remote.Execution.V2.Execution.Descriptor, Google.LongRunning.Operations.Descriptor, RemoteExec.Protocol.V1.WorkerPool.Descriptor,
        ]
        from method in service.Methods
        select method;

    [Test]
    public async Task F07_what_is_not_offered_says_so_in_a_sentence()
    {
        var unoffered = new List<string>();
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        int stream = 1;
        foreach (var method in Methods)
        {
            string path = $"/{method.Service.FullName}/{method.Name}";
            await peer.StartCallAsync(stream, path);
            await peer.SendDataAsync(stream, isEnd: true, EmptyMessage);
            var answer = await peer.ReadAnswerAsync(stream);
            stream += 2;
            if (answer["grpc-status"] != "12") continue; // UNIMPLEMENTED

            unoffered.Add(method.Name);
            Assert.That(answer["grpc-message"], Is.EqualTo($"{path} is not offered by this server"));
        }

        Assert.That(unoffered, Does.Contain("SplitBlob").And.Contain("SpliceBlob"));
    }
}
