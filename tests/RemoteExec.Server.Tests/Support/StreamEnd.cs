using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Server.Tests;

/// <summary>How a stream of Execute or WaitExecution ended: with a result, with an error, or just so.</summary>
internal sealed record StreamEnd(ActionResult? Result, StatusCode Code, TimeSpan? RetryDelay)
{
    public Build.Bazel.Remote.Execution.V2.Digest? Stdout => Result?.StdoutDigest;

    /// <summary>The digest of what a command wrote.</summary>
    public static Build.Bazel.Remote.Execution.V2.Digest Said(string text) =>
        Core.Digest.Of(Core.DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text)).ToWire();

    // Far beyond what any of it takes; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    public static async Task<StreamEnd> OfAsync(AsyncServerStreamingCall<Operation> call)
    {
        ActionResult? result = null;
        try
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Within))
            {
                if (call.ResponseStream.Current is { Done: true } last) result = last.Response.Unpack<ExecuteResponse>().Result;
            }

            return new StreamEnd(result, StatusCode.OK, null);
        }
        catch (RpcException failure)
        {
            var retry = failure.ToStatus().Details.FirstOrDefault(detail => detail.Is(RetryInfo.Descriptor));
            return new StreamEnd(result, failure.StatusCode, retry?.Unpack<RetryInfo>().RetryDelay.ToTimeSpan());
        }
    }
}
