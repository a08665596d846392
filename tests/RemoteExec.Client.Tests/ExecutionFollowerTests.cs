using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;

namespace RemoteExec.Client.Tests;

/// <summary>Staying with an execution over broken streams (REAPI Execution, WaitExecution).</summary>
public sealed class ExecutionFollowerTests
{
    private static readonly Digest Action = Digest.Of(DigestFunction.Sha256, "an action"u8);

    private readonly ScriptedExecution _server = new();
    private readonly ImpatientTime _time = new();

    [Test]
    public async Task Every_message_is_shown_and_the_last_one_answers()
    {
        _server.ThenEnd(ScriptedExecution.Running("a"), ScriptedExecution.Finished("a", exitCode: 3));
        var shown = new List<bool>();

        var response = await FollowAsync(operation => shown.Add(operation.Done));

        Assert.That((response.Result.ExitCode, _server.Calls), Is.EqualTo((3, new[] { "Execute" })));
        Assert.That(shown, Is.EqualTo(new[] { false, true }));
    }

    [TestCase(StatusCode.Unavailable)]
    [TestCase(StatusCode.Internal)]
    [TestCase(StatusCode.OK, Description = "a server that drains ends its streams in peace")]
    public async Task A_stream_that_ends_early_is_taken_up_by_name(StatusCode end)
    {
        _server.ThenFail(end, ScriptedExecution.Running("a")).ThenEnd(ScriptedExecution.Finished("a", exitCode: 0));

        await FollowAsync();

        Assert.That(_server.Calls, Is.EqualTo(new[] { "Execute", "WaitExecution a" }));
    }

    [Test]
    public async Task A_forgotten_operation_is_executed_again()
    {
        _server.ThenFail(StatusCode.Unavailable, ScriptedExecution.Running("a"))
            .ThenFail(StatusCode.NotFound)
            .ThenEnd(ScriptedExecution.Running("b"), ScriptedExecution.Finished("b", exitCode: 0));

        await FollowAsync();

        Assert.That(_server.Calls, Is.EqualTo(new[] { "Execute", "WaitExecution a", "Execute" }));
    }

    [TestCase(StatusCode.NotFound)]
    [TestCase(StatusCode.InvalidArgument)]
    [TestCase(StatusCode.FailedPrecondition)]
    public void A_refusal_is_not_tried_again(StatusCode code)
    {
        _server.ThenFail(code);

        Assert.That(async () => await FollowAsync(), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(code));
        Assert.That(_server.Calls, Has.Count.EqualTo(1));
    }

    [Test]
    public void A_server_that_stays_away_is_given_up_with_its_own_words()
    {
        for (int i = 0; i < 20; i++) _server.ThenFail(StatusCode.Unavailable);

        Assert.That(async () => await FollowAsync(), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
        Assert.That(_server.Calls, Has.Count.EqualTo(10));
        Assert.That(_time.Waits, Is.Ordered);
        Assert.That(_time.Waits[^1], Is.EqualTo(TimeSpan.FromSeconds(5)));
    }

    [Test]
    public void A_server_that_only_ever_ends_streams_is_given_up_too()
    {
        for (int i = 0; i < 20; i++) _server.ThenEnd();

        Assert.That(async () => await FollowAsync(), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.Unavailable));
        Assert.That(_server.Calls, Has.Count.EqualTo(10));
    }

    [Test]
    public async Task A_message_of_the_operation_starts_the_count_of_failures_again()
    {
        for (int i = 0; i < 30; i++) _server.ThenFail(StatusCode.Unavailable, ScriptedExecution.Running("a"));
        _server.ThenEnd(ScriptedExecution.Finished("a", exitCode: 0));

        await FollowAsync();

        Assert.That(_server.Calls, Has.Count.EqualTo(31));
    }

    [Test]
    public void An_operation_that_ends_in_an_error_throws_that_error()
    {
        _server.ThenEnd(new Operation { Name = "a", Done = true, Error = new Google.Rpc.Status { Code = (int)StatusCode.Cancelled, Message = "by ada" } });

        Assert.That(async () => await FollowAsync(),
            Throws.TypeOf<RpcException>().With.Property("Status").EqualTo(new Status(StatusCode.Cancelled, "by ada")));
    }

    [Test]
    public void An_operation_that_is_done_without_a_response_is_an_error()
    {
        _server.ThenEnd(new Operation { Name = "a", Done = true });

        Assert.That(async () => await FollowAsync(), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.DataLoss));
    }

    [Test]
    public async Task One_outage_is_told_once_and_so_is_its_end()
    {
        var told = new List<string>();
        _server.ThenFail(StatusCode.Unavailable, ScriptedExecution.Running("a")).ThenFail(StatusCode.Unavailable).ThenEnd()
            .ThenEnd(ScriptedExecution.Running("a")).ThenEnd(ScriptedExecution.Finished("a", 0));
        var follower = new ExecutionFollower(_server, "", _time) { Lost = failure => told.Add($"lost {failure?.StatusCode}"), Found = () => told.Add("found") };

        await follower.ExecuteAsync(Action, skipCacheLookup: false, priority: 0, onUpdate: null, CancellationToken.None);

        Assert.That(told, Is.EqualTo(new[] { "lost Unavailable", "found", "lost ", "found" }));
    }

    private Task<ExecuteResponse> FollowAsync(Action<Operation>? onUpdate = null) =>
        new ExecutionFollower(_server, "", _time).ExecuteAsync(Action, skipCacheLookup: false, priority: 0, onUpdate, CancellationToken.None);
}
