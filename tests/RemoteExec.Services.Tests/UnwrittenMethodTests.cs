using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace RemoteExec.Services.Tests;

/// <summary>Methods of the services we offer that nobody has written: their generated base answers without a word.</summary>
internal sealed class UnwrittenMethodTests : ServicesFixture
{
    private static IEnumerable<MethodDescriptor> UnaryMethods =>
        from service in (ServiceDescriptor[])
        [
            Capabilities.Descriptor, ContentAddressableStorage.Descriptor, ByteStream.Descriptor, Build.Bazel.Remote.Execution.V2.ActionCache.Descriptor,
            Google.LongRunning.Operations.Descriptor, RemoteExec.Protocol.V1.WorkerPool.Descriptor,
        ]
        from method in service.Methods
        where !method.IsClientStreaming && !method.IsServerStreaming
        select method;

    [Test]
    public async Task F07_what_is_not_offered_says_so_in_a_sentence()
    {
        var unoffered = new List<string>();
        foreach (var method in UnaryMethods)
        {
            if (await RefusalOfAsync(method) is not { StatusCode: StatusCode.Unimplemented } refusal) continue;

            unoffered.Add(method.Name);
            Assert.That(refusal.Status.Detail, Is.EqualTo($"/{method.Service.FullName}/{method.Name} is not offered by this server"));
        }

        Assert.That(unoffered, Does.Contain("SplitBlob").And.Contain("SpliceBlob"));
    }

    private async Task<RpcException?> RefusalOfAsync(MethodDescriptor method)
    {
        var bytes = Marshallers.Create(bytes => bytes, bytes => bytes);
        var call = new Method<byte[], byte[]>(MethodType.Unary, method.Service.FullName, method.Name, bytes, bytes);
        try
        {
            await Channel.CreateCallInvoker().AsyncUnaryCall(call, null, new CallOptions(cancellationToken: Soon), []);
            return null;
        }
        catch (RpcException refusal)
        {
            return refusal;
        }
    }
}
