using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>ExecuteResponse.server_logs: where an action failed through no fault of its own, there is a log of what went wrong (REAPI T3).</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class FaultLogTests : ExecutionFixture
{
    [Test] // REAPI T3
    public async Task An_action_whose_sandbox_cannot_be_built_has_a_log_of_all_attempts_for_people()
    {
        var action = await StoreActionAsync();
        using var call = Execute(action);
        var response = ResponseOf(await GiveUpAsync(call));

        Assert.That((StatusCode)response.Status.Code, Is.EqualTo(StatusCode.Unavailable));
        var (name, log) = response.ServerLogs.Single();
        Assert.That((name, log.HumanReadable), Is.EqualTo(("attempts", true)));
        string text = await ReadAsync(log);
        Assert.That(text, Does.Contain(action.ToString()));
        for (int i = 1; i <= Scheduler.Options.AttemptsMax; i++) Assert.That(text, Does.Contain($"attempt {i} on w1: the sandbox could not be built: reason {i}"));
    }

    [Test] // REAPI E17, E20: whoever asks, and when
    public async Task Everybody_is_told_of_the_same_log()
    {
        using var call = Execute(await StoreActionAsync());
        var last = await GiveUpAsync(call);
        using var wait = Execution.WaitExecution(new WaitExecutionRequest { Name = last.Name }, cancellationToken: Soon);

        Assert.That(ResponseOf(await LastAsync(wait)), Is.EqualTo(ResponseOf(last)));
        Assert.That(ResponseOf(await Operations.GetOperationAsync(new GetOperationRequest { Name = last.Name }, cancellationToken: Soon)), Is.EqualTo(ResponseOf(last)));
    }

    [Test]
    public async Task What_its_client_cancels_and_what_fails_by_itself_has_none()
    {
        using var worker = await JoinAsync();
        using var failing = Execute(await StoreActionAsync(action => action.Salt = Google.Protobuf.ByteString.CopyFromUtf8("fails")));
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new RpcStatus { Code = (int)StatusCode.FailedPrecondition, Message = "no such program" }, Blame.Client);
        using var cancelled = Execute(await StoreActionAsync());
        string name = (await NextAsync(cancelled)).Name;
        await worker.ReceiveLeaseAsync();
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, cancellationToken: Soon);

        var ends = new[] { ResponseOf(await LastAsync(failing)), ResponseOf(await LastAsync(cancelled)) };

        Assert.That(ends.Select(end => (StatusCode)end.Status.Code), Is.EqualTo(new[] { StatusCode.FailedPrecondition, StatusCode.Cancelled }));
        Assert.That(ends.SelectMany(end => end.ServerLogs), Is.Empty);
    }

    private async Task<string> ReadAsync(LogFile log)
    {
        var digest = WireDigests.FromWire(log.Digest, DigestFunction.Sha256, "digest");
        var content = await Store.ReadAllAsync(digest, 1 << 20, Soon) ?? throw new AssertionException("the log is not stored");
        return System.Text.Encoding.UTF8.GetString(content.Span);
    }

    /// <summary>A worker that cannot run anything has it as often as anybody may.</summary>
    private async Task<Operation> GiveUpAsync(AsyncServerStreamingCall<Operation> call)
    {
        using var worker = await JoinAsync();
        var wait = Scheduler.Options.AttemptWaitFirst;
        for (int i = 1; i <= Scheduler.Options.AttemptsMax; i++, wait *= 2)
        {
            var lease = await worker.ReceiveLeaseAsync();
            await worker.StartAsync(lease);
            // It was heard of just now, and is for as long as the next attempt waits.
            while (StageOf(await NextAsync(call)) != Value.Executing)
            {
            }

            await worker.FailAsync(lease, StatusCode.Internal, $"the sandbox could not be built: reason {i}");
            if (i == Scheduler.Options.AttemptsMax) break;
            await Time.WaitForTimerAsync(wait / 2, wait);
            Time.Advance(wait);
        }

        return await LastAsync(call);
    }
}
