using System.Diagnostics;
using System.Globalization;
using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// What went wrong, attempt by attempt, with an action that was given up through faults of those who run it: a sandbox that cannot be built, workers that are lost. It is a blob
/// for people (ExecuteResponse.server_logs, REAPI T3). Its text follows from the outcome alone, so everybody is told of one digest, whenever he asks.
/// </summary>
internal static class FaultLog
{
    private const string Name = "attempts";

    /// <summary>Before anybody is told of it. Of a store that is full or away nobody has a log: a client that asks for it finds it missing, and has the message all the same.</summary>
    public static async ValueTask StoreAsync(CompletedExecution completed, IBlobStore store, CancellationToken cancellationToken)
    {
        if (!IsOf(completed.Outcome, completed.Attempt)) return;

        try
        {
            await store.WriteAllAsync(completed.Request.Action.Function, TextOf(completed.Id, completed.Request.Action, completed.Outcome), cancellationToken);
        }
        catch (RpcException failure)
        {
            Trace.TraceWarning($"the log of the attempts of {completed.Id} was not stored: {failure.Status.Detail}");
        }
    }

    public static void AddTo(ExecuteResponse response, OperationSnapshot done)
    {
        var action = done.Request.Action;
        if (done.Outcome is not { } outcome || !IsOf(outcome, done.Attempt)) return;

        var digest = Digest.Of(action.Function, TextOf(done.Execution, action, outcome));
        response.ServerLogs.Add(Name, new LogFile { Digest = digest.ToWire(), HumanReadable = true });
    }

    // What a worker reports has an end of its own (a response). A store that is to blame would keep no log either.
    private static bool IsOf(ExecutionOutcome outcome, int attempt) => attempt > 0 && outcome.Response.IsEmpty && (outcome.Blame is Blame.Worker or Blame.Coordinator);

    private static byte[] TextOf(ExecutionId execution, Digest action, ExecutionOutcome outcome) => Encoding.UTF8.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"execution {execution} of action {action}\n{outcome.Code}, through no fault of the action\n{outcome.Message}\n"));
}
