using System.Net;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using Grpc.Health.V1;

namespace RemoteExec.Server.Tests;

/// <summary>SIGTERM: no new work, clients are let go so that they attach again, what runs finishes or is handed back.</summary>
public sealed class DrainTests
{
    [Test]
    public async Task An_action_that_runs_at_SIGTERM_is_finished_by_the_next_server()
    {
        using var folder = new TemporaryFolder();
        string name;
        await using (var first = ServerProgram.Start("--data-dir", folder.Path, "--drain-limit", "100ms"))
        {
            using var client = new RemoteClient(await first.ReadyAsync());
            // Longer than the drain may take, short enough to be waited for in the second life.
            (var call, name) = await client.BeginAsync("sleep 2; echo survived");
            using (call)
            {
                first.Terminate();

                Assert.That(await EndOfAsync(call), Is.AnyOf(StatusCode.OK, StatusCode.Unavailable), "a client attaches again after these");
            }

            Assert.That(await first.ExitedAsync(), Is.Zero, () => first.Error);
            Assert.That(first.Error, Does.Not.Contain("   at "));
        }

        await using var second = ServerProgram.Start("--data-dir", folder.Path);
        using var again = new RemoteClient(await second.ReadyAsync());
        using var waiting = again.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        var last = await LastOfAsync(waiting);

        Assert.That(last.Done);
        Assert.That(last.Response.Unpack<ExecuteResponse>().Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("survived\n"));
        second.Terminate();
        Assert.That(await second.ExitedAsync(), Is.Zero, () => second.Error);
    }

    [Test]
    public async Task While_it_drains_health_says_not_serving_and_readiness_503()
    {
        await using var server = await InProcessServer.StartAsync();
        using var watch = server.Client.Health.Watch(new HealthCheckRequest(), new CallOptions());
        await watch.ResponseStream.MoveNext(CancellationToken.None);
        var before = (watch.ResponseStream.Current.Status, (await server.Http.GetAsync("readyz")).StatusCode);
        // Holds the drain open until it is cancelled below.
        var (call, name) = await server.Client.BeginAsync("sleep 1000");
        call.Dispose();

        server.BeginStop();
        await watch.ResponseStream.MoveNext(CancellationToken.None);
        var during = (watch.ResponseStream.Current.Status, (await server.Http.GetAsync("readyz")).StatusCode);
        string status = await server.Http.GetStringAsync("api/v1/status");
        await server.Client.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, new CallOptions());
        await server.Running;
        var watchEnd = Assert.ThrowsAsync<RpcException>(async () => await watch.ResponseStream.MoveNext(CancellationToken.None))?.StatusCode;

        Assert.Multiple(() =>
        {
            Assert.That(watchEnd, Is.EqualTo(StatusCode.Unavailable), "it would have held the port open");
            Assert.That(before, Is.EqualTo((HealthCheckResponse.Types.ServingStatus.Serving, HttpStatusCode.OK)));
            Assert.That(during, Is.EqualTo((HealthCheckResponse.Types.ServingStatus.NotServing, HttpStatusCode.ServiceUnavailable)));
            Assert.That(status, Does.Contain("\"draining\":true"));
        });
    }

    private static async Task<StatusCode> EndOfAsync(AsyncServerStreamingCall<Operation> call)
    {
        try
        {
            while (await call.ResponseStream.MoveNext(CancellationToken.None))
                Assert.That(call.ResponseStream.Current.Done, Is.False, "it cannot have finished");
            return StatusCode.OK;
        }
        catch (RpcException ended)
        {
            return ended.StatusCode;
        }
    }

    private static async Task<Operation> LastOfAsync(AsyncServerStreamingCall<Operation> call)
    {
        Operation? last = null;
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
            last = call.ResponseStream.Current;
        return last ?? throw new InvalidOperationException("the stream said nothing");
    }
}
