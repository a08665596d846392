using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Client;

/// <summary>
/// Executes an action and stays with it: a broken stream is taken up again by WaitExecution, a forgotten operation
/// by another Execute (REAPI E17), for as long as progress is made between failures.
/// </summary>
public sealed class ExecutionFollower(CallInvoker invoker, string instanceName, TimeProvider time)
{
    private static readonly TimeSpan DelayFirst = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DelayMax = TimeSpan.FromSeconds(5);

    // 0.1 + 0.2 + 0.4 + … + 5 s: about twenty seconds without one message, a server's restart several times over.
    private const int FailuresInARowMax = 9;

    private readonly Execution.ExecutionClient _client = new(invoker);

    /// <summary>Called once when the stream is lost, with the failure; null when it ended in peace before the operation did.</summary>
    public System.Action<RpcException?>? Lost { get; init; }

    /// <summary>Called with the first message after that.</summary>
    public System.Action? Found { get; init; }

    /// <param name="onUpdate">Called for each message of the operation, the last one included.</param>
    /// <exception cref="RpcException">The call was refused, or the server stayed away.</exception>
    public async Task<ExecuteResponse> ExecuteAsync(
        Digest action, bool skipCacheLookup, int priority, Action<Operation>? onUpdate, CancellationToken cancellationToken)
    {
        var request = new ExecuteRequest
        {
            InstanceName = instanceName,
            ActionDigest = action.ToWire(),
            DigestFunction = action.Function.ToWire(),
            SkipCacheLookup = skipCacheLookup,
            ExecutionPolicy = new ExecutionPolicy { Priority = priority },
        };

        string? operationName = null;
        bool isLost = false;
        for (int failuresInARow = 0; ; failuresInARow++)
        {
            try
            {
                using var call = operationName is null
                    ? _client.Execute(request, cancellationToken: cancellationToken)
                    : _client.WaitExecution(new WaitExecutionRequest { Name = operationName }, cancellationToken: cancellationToken);
                while (await call.ResponseStream.MoveNext(cancellationToken))
                {
                    var operation = call.ResponseStream.Current;
                    operationName = operation.Name;
                    if (isLost) Found?.Invoke();
                    isLost = false;
                    failuresInARow = 0;
                    onUpdate?.Invoke(operation);
                    if (operation.Done)
                        return ResponseOf(operation);
                }

                // A server that drains ends its streams in peace; one that only ever does so is as good as away.
                if (failuresInARow >= FailuresInARowMax)
                    throw new RpcException(new Status(StatusCode.Unavailable, "the server ends the stream of the execution again and again without a word"));
                if (!isLost) Lost?.Invoke(null);
                isLost = true;
            }
            catch (RpcException failure) when (failuresInARow < FailuresInARowMax && MayPass(failure.StatusCode, operationName))
            {
                // The server lost its memory, not the action's result: asking again may even hit its cache.
                if (failure.StatusCode == StatusCode.NotFound)
                    operationName = null;
                if (!isLost) Lost?.Invoke(failure);
                isLost = true;
            }

            var delay = DelayFirst * Math.Pow(2, failuresInARow);
            await Task.Delay(delay < DelayMax ? delay : DelayMax, time, cancellationToken);
        }
    }

    private static bool MayPass(StatusCode code, string? operationName) => code switch
    {
        StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.Aborted or StatusCode.ResourceExhausted => true,
        // An operation may be forgotten; an instance or an action that is not there will not appear.
        StatusCode.NotFound => operationName is not null,
        _ => false,
    };

    private static ExecuteResponse ResponseOf(Operation operation) => operation.ResultCase switch
    {
        Operation.ResultOneofCase.Error => throw operation.Error.ToException(),
        Operation.ResultOneofCase.Response when operation.Response.TryUnpack(out ExecuteResponse response) => response,
        _ => throw new RpcException(new Status(StatusCode.DataLoss, $"operation {operation.Name} is done without an ExecuteResponse")),
    };
}
