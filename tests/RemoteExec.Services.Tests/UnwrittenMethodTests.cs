using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf.Reflection;
using RemoteExec.Rpc.Tests;

namespace RemoteExec.Services.Tests;

/// <summary>A method of a service we offer that nobody has written would be answered by its generated base, without a word.</summary>
internal sealed class UnwrittenMethodTests : ServicesFixture
{
    // No message at all, in its frame.
    private static readonly byte[] EmptyMessage = new byte[5];

    internal static IEnumerable<MethodDescriptor> Methods =>
        from service in (ServiceDescriptor[])
        [
            Capabilities.Descriptor, ContentAddressableStorage.Descriptor, ByteStream.Descriptor, Build.Bazel.Remote.Execution.V2.ActionCache.Descriptor,
            Build.Bazel.Remote.Execution.V2.Execution.Descriptor, Google.LongRunning.Operations.Descriptor, RemoteExec.Protocol.V1.WorkerPool.Descriptor,
            Build.Bazel.Remote.LogStream.v1.LogStreamService.Descriptor,
        ]
        from method in service.Methods
        select method;

    [Test]
    public async Task F07_every_method_of_the_services_that_are_offered_is_written()
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
            if (answer["grpc-status"] == "12") unoffered.Add(method.Name); // UNIMPLEMENTED
        }

        Assert.That(unoffered, Is.Empty);
    }
}
