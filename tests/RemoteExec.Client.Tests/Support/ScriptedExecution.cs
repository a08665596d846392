using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Client.Tests;

/// <summary>
/// The other end of Execute and WaitExecution: each call plays the next scene, which is some operations and then either a
/// peaceful end or a failure.
/// </summary>
internal sealed class ScriptedExecution : CallInvoker
{
    private readonly Queue<(IReadOnlyList<Operation> Operations, Status End)> _scenes = new();
    private readonly List<string> _calls = [];

    /// <summary>What was called: <c>Execute</c>, or <c>WaitExecution NAME</c>.</summary>
    public IReadOnlyList<string> Calls => _calls;

    public ScriptedExecution Then(Status end, params Operation[] operations)
    {
        _scenes.Enqueue((operations, end));
        return this;
    }

    public ScriptedExecution ThenEnd(params Operation[] operations) => Then(Status.DefaultSuccess, operations);

    public ScriptedExecution ThenFail(StatusCode code, params Operation[] operations) => Then(new Status(code, $"scripted {code}"), operations);

    public static Operation Running(string name) => new() { Name = name };

    public static Operation Finished(string name, int exitCode) => new()
    {
        Name = name,
        Done = true,
        Response = Any.Pack(new ExecuteResponse { Result = new ActionResult { ExitCode = exitCode } }),
    };

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        _calls.Add(request is WaitExecutionRequest wait ? $"{method.Name} {wait.Name}" : method.Name);
        var (operations, end) = _scenes.Dequeue();
        var stream = new SceneReader<TResponse>(new Queue<TResponse>(operations.Cast<TResponse>()), end);
        return new AsyncServerStreamingCall<TResponse>(stream, Task.FromResult(new Metadata()), () => end, () => [], () => { });
    }

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw Unexpected(method);

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) => throw Unexpected(method);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Unexpected(method);

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(
        Method<TRequest, TResponse> method, string? host, CallOptions options) => throw Unexpected(method);

    private static NotSupportedException Unexpected(IMethod method) => new($"{method.FullName} is not in the script");

    private sealed class SceneReader<T>(Queue<T> messages, Status end) : IAsyncStreamReader<T>
        where T : class
    {
        private T? _current;

        public T Current => _current ?? throw new InvalidOperationException("read before MoveNext");

        public Task<bool> MoveNext(CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (messages.TryDequeue(out _current)) return Task.FromResult(true);
            return end.StatusCode == StatusCode.OK ? Task.FromResult(false) : Task.FromException<bool>(new RpcException(end));
        }
    }
}
