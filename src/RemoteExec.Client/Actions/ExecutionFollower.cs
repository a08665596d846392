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
        int failuresInARow = 0;
        while (true)
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
                    failuresInARow = 0;
                    onUpdate?.Invoke(operation);
                    if (operation.Done)
                        return operation.Response.Unpack<ExecuteResponse>();
                }
            }
            catch (RpcException failure) when (MayPass(failure) && failuresInARow < FailuresInARowMax)
            {
                if (failure.StatusCode == StatusCode.NotFound)
                    operationName = null;
            }

            // Also after a stream that ended in peace: a server that drains ends it so.
            var delay = DelayFirst * Math.Pow(2, failuresInARow++);
            await Task.Delay(delay < DelayMax ? delay : DelayMax, time, cancellationToken);
        }
    }

    private static bool MayPass(RpcException failure) => failure.StatusCode
        is StatusCode.Unavailable or StatusCode.Internal or StatusCode.Unknown or StatusCode.Aborted
        or StatusCode.ResourceExhausted or StatusCode.NotFound;
}
