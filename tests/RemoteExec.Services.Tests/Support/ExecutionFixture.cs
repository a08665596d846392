using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>Executes actions and looks at the operations that come.</summary>
internal abstract class ExecutionFixture : ServicesFixture
{
    protected AsyncServerStreamingCall<Operation> Execute(Digest action, Action<ExecuteRequest>? change = null, Metadata? headers = null)
    {
        var request = new ExecuteRequest { ActionDigest = action.ToWire() };
        change?.Invoke(request);
        return Execution.Execute(request, headers, cancellationToken: Soon);
    }

    protected async Task<Operation> NextAsync(AsyncServerStreamingCall<Operation> call)
    {
        Assert.That(await call.ResponseStream.MoveNext(Soon), "the stream has ended");
        return call.ResponseStream.Current;
    }

    protected async Task<Operation> LastAsync(AsyncServerStreamingCall<Operation> call)
    {
        Operation? last = null;
        while (await call.ResponseStream.MoveNext(Soon)) last = call.ResponseStream.Current;
        return last ?? throw new AssertionException("the stream was empty");
    }

    protected static Value StageOf(Operation operation) => operation.Metadata.Unpack<ExecuteOperationMetadata>().Stage;

    protected static ExecuteResponse ResponseOf(Operation operation) => operation.Response.Unpack<ExecuteResponse>();

    protected Task<RpcException> RefusalOf(Digest action) => FailureOf(async () => await NextAsync(Execute(action)));
}
