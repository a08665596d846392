using System.Globalization;
using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <content>Streams that break, and what is told by them when the work is ended by others (REAPI 5.6: 4, 7).</content>
public sealed partial class LandmineTests
{
    private const string CancelMethod = "google.longrunning.Operations/CancelOperation";

    // google.longrunning.Operation and ExecuteOperationMetadata.
    private const long Queued = 2, Executing = 3;

    // --remote_timeout=60 as grpc-java writes it, when a moment of it has passed.
    private static readonly (string Name, string Value) Minute = ("grpc-timeout", "59999943u");

    private static readonly TimeSpan StreamWithin = TimeSpan.FromMinutes(2);

    [TestCase(true)] // REAPI 5.6: 4; a proxy closes the connection
    [TestCase(false)] // or forgets it, and both ends believe that it is there
    public async Task Bazels_keep_alive_executor_comes_back_by_name_when_its_stream_is_cut(bool isClosed)
    {
        await using var gated = await GatedAction.StartAsync();
        await using var relay = LoopbackRelay.To(gated.Server.GrpcAddress);
        using var through = new RawClient(relay.Address, StreamWithin);
        using var lost = await through.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync())), (Metadata, Bazel("4.2.3")), Minute);
        string name = await NameOfAsync(lost, Executing);
        await gated.Witness.HeardAsync(1);

        if (isClosed)
        {
            relay.Cut();
            Assert.CatchAsync<IOException>(async () =>
            {
                // What had arrived before that may still be read.
                while (await lost.NextAsync() is not null) { }
            });
        }
        else
        {
            relay.FallSilent();
        }

        using var again = await gated.Client.OpenAsync(WaitMethod, Of((1, name)), (Metadata, Bazel("4.2.3")));
        Assert.That(await NameOfAsync(again, Executing), Is.EqualTo(name), "the same execution, where it stands");
        await gated.OpenGateAsync();

        await AssertEndsWellAsync(again, name);
        Assert.That(gated.Witness.Lines, Has.Count.EqualTo(1), "it ran once");
        await gated.Server.StopAsync();
    }

    [Test] // REAPI 5.6: 4; what Bazel's deadline ends is its call, and not what it waits for
    public async Task A_deadline_that_passes_ends_the_call_and_the_next_one_has_the_result()
    {
        await using var gated = await GatedAction.StartAsync();
        using var first = await gated.Client.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync())), (Metadata, Bazel("4.2.3")), Minute);
        string name = await NameOfAsync(first, Executing);
        await gated.Witness.HeardAsync(1);

        var late = await gated.Client.CallAsync(WaitMethod, [Of((1, name))], (Metadata, Bazel("4.2.3")), ("grpc-timeout", "500m"));
        using var again = await gated.Client.OpenAsync(WaitMethod, Of((1, name)), (Metadata, Bazel("4.2.3")));
        await NameOfAsync(again, Executing);
        first.Dispose(); // not before: the last who waits and leaves ends the work
        await gated.OpenGateAsync();

        Assert.That(late.Status, Is.EqualTo(RawStatus.DeadlineExceeded), late.Detail);
        await AssertEndsWellAsync(again, name);
        Assert.That(gated.Witness.Lines, Has.Count.EqualTo(1), "it ran once");
        await gated.Server.StopAsync();
    }

    [Test] // REAPI 5.6: 7; two Bazels want the same, and one of them is stopped by Ctrl-C
    public async Task A_Bazel_that_cancels_is_not_heard_by_another_that_waits_for_the_same()
    {
        await using var gated = await GatedAction.StartAsync();
        byte[] request = Of((6, await gated.StoreAsync()));
        var leaves = await gated.Client.OpenAsync(ExecuteMethod, request, (Metadata, Bazel("4.2.3")));
        using var stays = await gated.Client.OpenAsync(ExecuteMethod, request, (Metadata, Bazel("4.2.3")));
        await NameOfAsync(leaves, Executing);
        string name = await NameOfAsync(stays, Executing);

        leaves.Dispose();
        await gated.OpenGateAsync();

        await AssertEndsWellAsync(stays, name);
        Assert.That(gated.Witness.Lines, Has.Count.EqualTo(1), "it ran once");
        await gated.Server.StopAsync();
    }

    /// <summary>
    /// Whose operation it was is told that in the response, as the protocol has it (REAPI E5), and its call ends well: for Bazel that is a failure of the
    /// action, which it may try again. CANCELLED as the status of a call would be its own interruption.
    /// </summary>
    [Test] // REAPI 5.6: 7, E5, E9; somebody cancels by the page or by `rexec cancel`
    public async Task CancelOperation_ends_that_one_operation_in_its_response_and_no_call_is_CANCELLED()
    {
        await using var gated = await GatedAction.StartAsync();
        byte[] request = Of((6, await gated.StoreAsync()));
        using var cancelled = await gated.Client.OpenAsync(ExecuteMethod, request, (Metadata, Bazel("4.2.3")));
        using var other = await gated.Client.OpenAsync(ExecuteMethod, request, (Metadata, Bazel("4.2.3")));
        string name = await NameOfAsync(cancelled, Executing), otherName = await NameOfAsync(other, Executing);

        Assert.That((await gated.Client.CallAsync(CancelMethod, [Of((1, name))])).Status, Is.EqualTo(RawStatus.Ok));
        var (end, messages) = await cancelled.ReadToEndAsync();
        await gated.OpenGateAsync();

        Assert.That(end.Status, Is.EqualTo(RawStatus.Ok), end.Detail);
        var result = RawResult.From(messages[^1].Message(5).Message(2));
        Assert.That(result.Status, Is.EqualTo(RawStatus.Cancelled));
        Assert.That(result.Message, Does.Contain(name), "it says what was cancelled");
        await AssertEndsWellAsync(other, otherName);
        Assert.That(gated.Witness.Lines, Has.Count.EqualTo(1), "it ran once");
        await gated.Server.StopAsync();
    }

    [Test] // REAPI 5.6: 7, G1; a restart is no wish of the client's
    public async Task A_server_that_leaves_is_UNAVAILABLE_to_those_who_wait_and_never_CANCELLED()
    {
        // With a limit that is far away the goodbye has all the time that it needs, on any machine.
        await using var gated = await GatedAction.StartAsync("--slots", "1", "--drain-limit", "10m");
        using var executing = await gated.Client.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync(1))), (Metadata, Bazel("4.2.3")));
        string running = await NameOfAsync(executing, Executing);
        using var ahead = await gated.Client.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync(2))), (Metadata, Bazel("4.2.3"))); // it may run yet
        await NameOfAsync(ahead, Queued);
        using var queued = await gated.Client.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync(3))), (Metadata, Bazel("4.2.3")));
        string name = await NameOfAsync(queued, Queued);
        using var waiting = await gated.Client.OpenAsync(WaitMethod, Of((1, name)));
        await NameOfAsync(waiting, Queued);

        gated.Server.Terminate();
        await gated.Server.DrainsAsync();
        await gated.OpenGateAsync();
        await AssertEndsWellAsync(executing, running);
        foreach (var stream in new[] { queued, waiting })
        {
            var (end, messages) = await stream.ReadToEndAsync();
            Assert.That(end.Status, Is.EqualTo(RawStatus.Unavailable), end.Detail);
            Assert.That(end.Details!.Messages(3).Select(detail => detail.Text(1)), Is.EqualTo(["type.googleapis.com/google.rpc.RetryInfo"]));
            Assert.That(messages.Where(message => message.Number(3) != 0), Is.Empty, "the operation goes on");
        }

        await gated.Server.EndedAsync();
        await gated.Server.RestartAsync();
        using var client = new RawClient(new Uri($"http://{gated.Server.GrpcAddress}"), StreamWithin);
        using var again = await client.OpenAsync(WaitMethod, Of((1, name)));
        await AssertEndsWellAsync(again, name);
        await gated.Server.StopAsync();
    }

    [Test] // REAPI 5.6: 7, E14, E19
    public async Task A_worker_that_is_killed_is_a_wait_on_the_same_stream_and_nothing_else()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage", "--wait-for-worker", "10m");
        await using var gated = GatedAction.At(server);
        await using var first = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--sandbox", "off", "--slots", "1");
        using var stream = await gated.Client.OpenAsync(ExecuteMethod, Of((6, await gated.StoreAsync())), (Metadata, Bazel("4.2.3")));
        string name = await NameOfAsync(stream, Executing);
        await gated.Witness.HeardAsync(1);

        await first.KillAsync();
        Assert.That(await NameOfAsync(stream, Queued), Is.EqualTo(name));
        await gated.OpenGateAsync();
        await using var second = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--sandbox", "off", "--slots", "1");

        await AssertEndsWellAsync(stream, name);
        await second.StopAsync();
        await first.NothingLeftAsync();
        await server.StopAsync();
    }

    /// <summary>Up to the first update in that stage; the operation must not end before.</summary>
    private static async Task<string> NameOfAsync(RawStream stream, long stage)
    {
        while (await stream.NextAsync() is { } operation)
        {
            // Operation.metadata is an Any of ExecuteOperationMetadata, whose first field is the stage.
            if (operation.Message(2).Message(2).Number(1) == stage) return operation.Text(1);
            Assert.That(operation.Number(3), Is.Zero, () => $"the operation ended: {RawResult.From(operation.Message(5).Message(2))}");
        }

        throw new AssertionException(string.Create(CultureInfo.InvariantCulture, $"the stream ended before stage {stage}"));
    }

    /// <summary>One end, the last message, with the result, under this name; and then the end of the call.</summary>
    private static async Task AssertEndsWellAsync(RawStream stream, string name)
    {
        var (end, messages) = await stream.ReadToEndAsync();

        Assert.That(end.Status, Is.EqualTo(RawStatus.Ok), end.Detail);
        Assert.That(messages.Select(message => message.Text(1)).Distinct(), Is.EqualTo([name]));
        Assert.That(messages.Select(message => message.Number(3)), Is.EqualTo([.. Enumerable.Repeat(0L, messages.Count - 1), 1L]), "done once, at the end");
        var result = RawResult.From(messages[^1].Message(5).Message(2));
        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That(result.Outputs["out"], Is.EqualTo(RawBlob.Of("done"u8)));
    }
}
