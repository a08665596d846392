using System.Net;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Health.V1;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Server.Tests;

/// <summary>
/// SIGTERM: nothing new is begun, everything else is served until nothing runs any more; then clients are let go so that they attach again.
/// </summary>
public sealed class DrainTests
{
    [Test]
    public async Task However_little_time_there_is_whoever_waits_is_told_to_come_back()
    {
        using var folder = new TemporaryFolder();
        await using var server = ServerProgram.Start("--data-dir", folder.Path, "--slots", "1", "--drain-limit", "0s");
        using var client = new RemoteClient(await server.ReadyAsync());
        var (running, name) = await client.BeginAsync("sleep 1000");
        using var waiting = client.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        Assert.That(await waiting.ResponseStream.MoveNext(CancellationToken.None));

        server.Terminate();
        var ends = await Task.WhenAll(StreamEnd.OfAsync(running), StreamEnd.OfAsync(waiting));
        running.Dispose();

        Assert.That(ends.Select(end => (end.Code, end.RetryDelay)), Is.All.EqualTo((StatusCode.Unavailable, TimeSpan.FromSeconds(1))));
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
        Assert.That(server.Error, Does.Not.Contain("   at "));
    }

    [Test]
    public async Task An_action_that_runs_at_SIGTERM_is_finished_by_the_next_server()
    {
        using var folder = new TemporaryFolder();
        var sleeper = new Sleeper();
        string name;
        await using (var first = ServerProgram.Start("--data-dir", folder.Path, "--drain-limit", "100ms"))
        {
            using var client = new RemoteClient(await first.ReadyAsync());
            (var call, name) = await client.BeginAsync($"{sleeper.Command}; echo survived");
            using (call)
            {
                first.Terminate();

                Assert.That((await StreamEnd.OfAsync(call)).Code, Is.EqualTo(StatusCode.Unavailable), "a client comes back after it");
            }

            Assert.That(await first.ExitedAsync(), Is.Zero, () => first.Error);
            Assert.That(first.Error, Does.Not.Contain("   at "));
        }

        await using var second = ServerProgram.Start("--data-dir", folder.Path);
        using var again = new RemoteClient(await second.ReadyAsync());
        using var waiting = again.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        await sleeper.WakeAsync();
        Assert.That((await StreamEnd.OfAsync(waiting)).Stdout, Is.EqualTo(StreamEnd.Said("survived\n")));
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
        var (running, name) = await server.Client.BeginAsync("sleep 1000");
        using var _ = running;

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

    [Test]
    public async Task F04_a_drain_ends_when_nothing_runs_and_until_then_everything_is_served()
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1", "--drain-limit", "10m");
        var sleeper = new Sleeper();
        var (running, name) = await server.Client.BeginAsync($"{sleeper.Command}; echo survived");
        using var leased = (await server.Client.SubmitAsync("echo leased")).Call; // ahead of its turn: it may start yet
        var (queued, _) = await server.Client.SubmitAsync("echo next");
        using var watching = server.Client.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        using var health = server.Client.Health.Watch(new HealthCheckRequest(), new CallOptions());
        await health.ResponseStream.MoveNext(CancellationToken.None);

        server.BeginStop();
        await health.ResponseStream.MoveNext(CancellationToken.None);
        Assert.That(health.ResponseStream.Current.Status, Is.EqualTo(HealthCheckResponse.Types.ServingStatus.NotServing));
        // A new connection: uploads, execution and whatever else.
        using var late = new RemoteClient(new Uri($"http://{server.Host.Rpc.EndPoint}"));
        var (lateCall, _) = await late.SubmitAsync("echo late");
        await sleeper.WakeAsync();
        var ends = await Task.WhenAll(StreamEnd.OfAsync(running), StreamEnd.OfAsync(watching), StreamEnd.OfAsync(queued), StreamEnd.OfAsync(lateCall));
        await server.Running;

        foreach (var end in ends[..2])
            Assert.That(end.Stdout, Is.EqualTo(StreamEnd.Said("survived\n")), () => $"{end}");
        foreach (var end in ends[2..])
            Assert.That((end.Code, end.RetryDelay), Is.EqualTo((StatusCode.Unavailable, TimeSpan.FromSeconds(1))), () => $"{end}");
    }

    [Test]
    public async Task F04_while_it_drains_blobs_come_and_go_and_results_are_answered()
    {
        await using var server = await InProcessServer.StartAsync("--drain-limit", "10m");
        await server.Client.RunAsync("echo kept > out.txt");
        var action = await server.Client.UploadAsync("echo kept > out.txt");
        // Holds the drain open until it is cancelled below.
        var (running, name) = await server.Client.BeginAsync("sleep 1000");
        using var _ = running;
        using var health = server.Client.Health.Watch(new HealthCheckRequest(), new CallOptions());
        await health.ResponseStream.MoveNext(CancellationToken.None);

        server.BeginStop();
        await health.ResponseStream.MoveNext(CancellationToken.None);
        using var late = new RemoteClient(new Uri($"http://{server.Host.Rpc.EndPoint}"));
        foreach (var client in new[] { server.Client, late })
        {
            var result = await client.ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = action.ToWire() }, new CallOptions());
            var output = result.OutputFiles.Single().Digest;
            Assert.That(await ReadAsync(client, $"{output.Hash}/{output.SizeBytes}"), Is.EqualTo("kept\n"));

            string text = $"written {(client == late ? "late" : "in time")}";
            var digest = Core.Digest.Of(Core.DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text));
            using var upload = client.Bytes.Write(new CallOptions());
            await upload.RequestStream.WriteAsync(
                new WriteRequest { ResourceName = $"uploads/{Guid.NewGuid()}/blobs/{digest}", Data = ByteString.CopyFromUtf8(text), FinishWrite = true });
            await upload.RequestStream.CompleteAsync();
            Assert.That((await upload.ResponseAsync).CommittedSize, Is.EqualTo(text.Length));
            Assert.That(await ReadAsync(client, $"{digest}"), Is.EqualTo(text));
        }

        await server.Client.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, new CallOptions());
        await server.Running;
    }

    private static async Task<string> ReadAsync(RemoteClient client, string blob)
    {
        using var call = client.Bytes.Read(new ReadRequest { ResourceName = $"blobs/{blob}" }, new CallOptions());
        var text = new System.Text.StringBuilder();
        await foreach (var piece in call.ResponseStream.ReadAllAsync()) text.Append(piece.Data.ToStringUtf8());
        return text.ToString();
    }

    [Test]
    public async Task What_a_drain_did_not_begin_is_begun_by_the_next_server()
    {
        using var folder = new TemporaryFolder();
        var sleeper = new Sleeper();
        string name;
        await using (var first = ServerProgram.Start("--data-dir", folder.Path, "--slots", "1", "--drain-limit", "10m"))
        {
            using var client = new RemoteClient(await first.ReadyAsync());
            var (running, _) = await client.BeginAsync($"{sleeper.Command}; true");
            var (leased, _) = await client.SubmitAsync("echo leased"); // ahead of its turn
            (var queued, name) = await client.SubmitAsync("echo next");
            first.Terminate();
            await first.SaysAsync("leases held"); // the worker, when it starts nothing any more
            await sleeper.WakeAsync();
            Assert.That((await StreamEnd.OfAsync(running)).Result, Is.Not.Null);
            Assert.That((await StreamEnd.OfAsync(leased)).Code, Is.EqualTo(StatusCode.Unavailable));
            Assert.That((await StreamEnd.OfAsync(queued)).Code, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(await first.ExitedAsync(), Is.Zero, () => first.Error);
        }

        await using var second = ServerProgram.Start("--data-dir", folder.Path);
        using var again = new RemoteClient(await second.ReadyAsync());
        using var waiting = again.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        Assert.That((await StreamEnd.OfAsync(waiting)).Stdout, Is.EqualTo(StreamEnd.Said("next\n")));
    }

    [Test]
    public async Task A_drain_takes_its_limit_once_whatever_holds_it_up()
    {
        // In one step, so shorter than the silence after which the local worker would be given up: its heartbeats come in this time too.
        var limit = TimeSpan.FromSeconds(5);
        Assert.That(limit, Is.LessThan(new SchedulerOptions().WorkerSilenceMax));
        var time = new ManualTime();
        await using var server = await InProcessServer.StartAsync(time, "--drain-limit", "5s");
        var (running, _) = await server.Client.BeginAsync("sleep 1000");
        using var upload = server.Client.Bytes.Write(new CallOptions());
        await upload.RequestStream.WriteAsync(new WriteRequest { ResourceName = $"uploads/{Guid.NewGuid()}/blobs/{new string('a', 64)}/5", Data = ByteString.CopyFromUtf8("a") });
        using var health = server.Client.Health.Watch(new HealthCheckRequest(), new CallOptions());
        await health.ResponseStream.MoveNext(CancellationToken.None);

        server.BeginStop();
        await health.ResponseStream.MoveNext(CancellationToken.None);
        await time.WaitForTimersAsync(2, DrainTimes.WorkMaxOf(limit)); // the server's for the work, and the local worker's
        time.Advance(limit);

        await server.Running.WaitAsync(TimeSpan.FromMinutes(1));
        Assert.That((await StreamEnd.OfAsync(running)).Code, Is.Not.EqualTo(StatusCode.OK));
    }

    [Test]
    public async Task F17_a_second_SIGTERM_tells_streams_to_come_back_and_loses_nothing()
    {
        using var folder = new TemporaryFolder();
        string name;
        await using (var first = ServerProgram.Start("--data-dir", folder.Path, "--slots", "1", "--drain-limit", "10m"))
        {
            using var client = new RemoteClient(await first.ReadyAsync());
            var (running, _) = await client.BeginAsync("sleep 1000");
            (var queued, name) = await client.SubmitAsync("echo next");
            first.Terminate();
            await first.SaysAsync("draining");

            first.Terminate();

            foreach (var call in new[] { running, queued })
            {
                var end = await StreamEnd.OfAsync(call);
                Assert.That((end.Result, end.Code, end.RetryDelay), Is.EqualTo(((ActionResult?)null, StatusCode.Unavailable, TimeSpan.FromSeconds(1))));
            }

            Assert.That(await first.ExitedAsync(), Is.Zero, () => first.Error);
            Assert.That(first.Error, Does.Not.Contain("   at "));
        }

        await using var second = ServerProgram.Start("--data-dir", folder.Path, "--slots", "2");
        using var again = new RemoteClient(await second.ReadyAsync());
        using var waiting = again.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        Assert.That((await StreamEnd.OfAsync(waiting)).Stdout, Is.EqualTo(StreamEnd.Said("next\n")));
    }

    // A drain that ends by itself is above: here are the ends that leave streams behind.
    private static IEnumerable<TestCaseData> HardEnds()
    {
        yield return new TestCaseData(new Func<InProcessServer, Task>(server =>
        {
            server.BeginStop();
            return server.Running;
        })).SetArgDisplayNames("a drain whose limit is over");
        yield return new TestCaseData(new Func<InProcessServer, Task>(server => server.Host.StopAsync(new CancellationToken(canceled: true)))).SetArgDisplayNames("the host's stop");
        yield return new TestCaseData(new Func<InProcessServer, Task>(server => server.DropAsync())).SetArgDisplayNames("the host's disposal");
    }

    [TestCaseSource(nameof(HardEnds))]
    public async Task F17_whatever_ends_a_server_no_stream_just_ends(object end)
    {
        await using var server = await InProcessServer.StartAsync("--slots", "1", "--drain-limit", "100ms");
        var (running, name) = await server.Client.BeginAsync("sleep 1000");
        var (queued, _) = await server.Client.SubmitAsync("echo next");
        using var watching = server.Client.Execution.WaitExecution(new WaitExecutionRequest { Name = name }, new CallOptions());
        Assert.That(await watching.ResponseStream.MoveNext(CancellationToken.None));

        await ((Func<InProcessServer, Task>)end)(server);

        foreach (var call in new[] { running, queued, watching })
        {
            var streamEnd = await StreamEnd.OfAsync(call);
            Assert.That((streamEnd.Result, streamEnd.Code == StatusCode.OK), Is.EqualTo(((ActionResult?)null, false)), () => $"{streamEnd}");
        }
    }
}
