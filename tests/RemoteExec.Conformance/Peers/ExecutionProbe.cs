using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Finds out whether this server runs actions for us at all.</summary>
internal static class ExecutionProbe
{
    private static readonly TimeSpan AnswerWithin = TimeSpan.FromSeconds(60);

    public static async Task<string?> WhyNotAsync(Connection connection)
    {
        if ((await connection.CapabilitiesAsync()).ExecutionCapabilities is not { ExecEnabled: true }) return "exec_enabled is false";

        using var deadline = new CancellationTokenSource(AnswerWithin);
        var peer = new Peer(connection, deadline.Token);
        try
        {
            var ran = await peer.RunAsync(new ActionDraft("exit 0"));
            return ran.Status == StatusCode.OK ? null : $"it does not run /bin/sh: {StatusNames.Of(ran.Status)}: {ran.Response.Status.Message}";
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.FailedPrecondition or StatusCode.InvalidArgument or StatusCode.PermissionDenied)
        {
            return $"the platform is refused: {failure.Status.Detail}";
        }
    }
}
