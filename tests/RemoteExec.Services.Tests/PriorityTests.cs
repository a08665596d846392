using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>Priorities from a request to a worker.</summary>
internal sealed class PriorityTests : ExecutionFixture
{
    [Test] // REAPI E11
    public async Task Of_what_waits_the_lower_priority_is_run_first_and_none_stands_between()
    {
        var actions = new Dictionary<int, Digest>();
        var calls = new List<AsyncServerStreamingCall<Google.LongRunning.Operation>>(); // held: who lets go of his call waits for nothing
        foreach (int? priority in (int?[])[10, null, -10])
        {
            var action = await StoreActionAsync(changeCommand: command => command.Arguments.Add($"{priority}"));
            actions.Add(priority ?? 0, action);
            var call = Execute(action, request => request.ExecutionPolicy = priority is { } told ? new ExecutionPolicy { Priority = told } : null);
            calls.Add(call);
            Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
        }

        using var worker = new ScriptedWorker(WorkerPool, Soon);
        await worker.GreetAsync("w1", hello => hello.Slots = 1);
        var run = new List<WireDigest>();
        for (int i = 0; i < actions.Count; i++)
        {
            var lease = await worker.ReceiveLeaseAsync();
            run.Add(lease.ActionDigest);
            await worker.FinishAsync(lease, new ActionResult());
        }

        Assert.That(run, Is.EqualTo(new[] { actions[-10], actions[0], actions[10] }.Select(action => action.ToWire())));
        calls.ForEach(call => call.Dispose());
    }
}
