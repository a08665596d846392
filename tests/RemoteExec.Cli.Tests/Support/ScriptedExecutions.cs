using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Cli.Tests;

/// <summary>Execute and WaitExecution: each call plays the next scene, and the last one again and again.</summary>
internal sealed class ScriptedExecutions : Execution.ExecutionBase
{
    public const string Name = "operations/one";

    private readonly Queue<Func<IServerStreamWriter<Operation>, ServerCallContext, Task>> _scenes = new();

    /// <summary>Completes with the name that CancelOperation was called for.</summary>
    public TaskCompletionSource<string> Cancelled { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ExecuteRequest? Request { get; private set; }

    public ScriptedExecutions Then(Func<IServerStreamWriter<Operation>, ServerCallContext, Task> scene)
    {
        _scenes.Enqueue(scene);
        return this;
    }

    /// <summary>The operation is done at once.</summary>
    public ScriptedExecutions ThenEnd(ExecuteResponse response) => Then((stream, _) => stream.WriteAsync(Done(response), CancellationToken.None));

    public ScriptedExecutions ThenEnd(ActionResult result) => ThenEnd(new ExecuteResponse { Result = result });

    public static Operation Running() => new()
    {
        Name = Name,
        Metadata = Any.Pack(new ExecuteOperationMetadata { Stage = ExecutionStage.Types.Value.Executing }),
    };

    public static Operation Done(ExecuteResponse response) => new() { Name = Name, Done = true, Response = Any.Pack(response) };

    public override Task Execute(ExecuteRequest request, IServerStreamWriter<Operation> responseStream, ServerCallContext context)
    {
        Request = request;
        return PlayAsync(responseStream, context);
    }

    public override Task WaitExecution(WaitExecutionRequest request, IServerStreamWriter<Operation> responseStream, ServerCallContext context) =>
        PlayAsync(responseStream, context);

    private Task PlayAsync(IServerStreamWriter<Operation> stream, ServerCallContext context)
    {
        var scene = _scenes.Count > 1 ? _scenes.Dequeue() : _scenes.Count == 1 ? _scenes.Peek() : null;
        return scene is null
            ? throw new RpcException(new Status(StatusCode.FailedPrecondition, "no worker matches"))
            : scene(stream, context);
    }
}
