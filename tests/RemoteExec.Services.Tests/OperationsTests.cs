using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

/// <summary>REAPI E20.</summary>
internal sealed class OperationsTests : ServicesFixture
{
    private readonly List<IDisposable> _calls = [];

    [TearDown]
    public void EndCalls()
    {
        foreach (var call in _calls) call.Dispose();
        _calls.Clear();
    }

    private async Task<(string Name, AsyncServerStreamingCall<Operation> Call)> SubmitAsync(string salt = "")
    {
        var action = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8(salt));
        var call = Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, cancellationToken: Soon);
        _calls.Add(call);
        Assert.That(await call.ResponseStream.MoveNext(Soon));
        return (call.ResponseStream.Current.Name, call);
    }

    [Test]
    public async Task An_operation_can_be_looked_at()
    {
        var (name, _) = await SubmitAsync();

        var operation = await Operations.GetOperationAsync(new GetOperationRequest { Name = name });

        Assert.That((operation.Name, operation.Done), Is.EqualTo((name, false)));
    }

    [Test] // TRUST 4.1: guessed names
    public async Task Unknown_names_are_NOT_FOUND_everywhere()
    {
        const string name = "operations/0123456789abcdef0123456789abcdef";

        Assert.That(await CodeOf(async () => await Operations.GetOperationAsync(new GetOperationRequest { Name = name })), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await CodeOf(async () => await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name })), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await CodeOf(async () => await Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name })), Is.EqualTo(StatusCode.NotFound));
        Assert.That(await CodeOf(async () => await Operations.WaitOperationAsync(new WaitOperationRequest { Name = name })), Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task Pages_list_each_operation_once()
    {
        var names = new List<string>();
        for (int i = 0; i < 5; i++) names.Add((await SubmitAsync($"{i}")).Name);

        var listed = new List<string>();
        string token = "";
        do
        {
            var page = await Operations.ListOperationsAsync(new ListOperationsRequest { PageSize = 2, PageToken = token });
            Assert.That(page.Operations, Has.Count.LessThanOrEqualTo(2));
            listed.AddRange(page.Operations.Select(operation => operation.Name));
            token = page.NextPageToken;
        }
        while (token.Length > 0);

        Assert.That(listed, Is.EquivalentTo(names));
    }

    [Test] // a name is the right to watch and to cancel
    public async Task Operations_are_listed_to_their_own_instance_only()
    {
        var (name, _) = await SubmitAsync();
        var action = await StoreActionAsync();
        using var elsewhere = Execution.Execute(new ExecuteRequest { InstanceName = "elsewhere", ActionDigest = action.ToWire() }, cancellationToken: Soon);
        Assert.That(await elsewhere.ResponseStream.MoveNext(Soon));

        var ours = await Operations.ListOperationsAsync(new ListOperationsRequest());
        var theirs = await Operations.ListOperationsAsync(new ListOperationsRequest { Name = "elsewhere" });

        Assert.That(ours.Operations.Single().Name, Is.EqualTo(name));
        Assert.That(theirs.Operations.Single().Name, Is.EqualTo(elsewhere.ResponseStream.Current.Name));
        Assert.That((await Operations.ListOperationsAsync(new ListOperationsRequest { Name = "nowhere" })).Operations, Is.Empty);
    }

    [TestCase("operations", 1)] // google.longrunning's own JSON route is /v1/{name=operations}
    [TestCase("elsewhere/operations", 0)]
    public async Task Operations_are_listed_by_the_name_of_their_collection_as_well(string name, int count)
    {
        await SubmitAsync();

        Assert.That((await Operations.ListOperationsAsync(new ListOperationsRequest { Name = name })).Operations, Has.Count.EqualTo(count));
    }

    [Test] // a finished operation brings its whole response
    public async Task F01_pages_end_before_a_usual_client_would_refuse_them()
    {
        using var worker = await JoinAsync();
        var names = new List<string>();
        for (int i = 0; i < 5; i++)
        {
            var (name, call) = await SubmitAsync($"{i}");
            names.Add(name);
            await worker.FinishAsync(await worker.ReceiveLeaseAsync(), LargeResult());
            while (await call.ResponseStream.MoveNext(Soon)) { }
        }

        var listed = new List<string>();
        int pages = 0;
        string token = "";
        do
        {
            var page = await Operations.ListOperationsAsync(new ListOperationsRequest { PageToken = token });
            Assert.That(page.CalculateSize(), Is.LessThanOrEqualTo(4 << 20));
            listed.AddRange(page.Operations.Select(operation => operation.Name));
            token = page.NextPageToken;
            pages++;
        }
        while (token.Length > 0);

        Assert.That(listed, Is.EquivalentTo(names));
        Assert.That(pages, Is.EqualTo(2));
    }

    // About a mebibyte.
    private static ActionResult LargeResult() => new()
    {
        OutputSymlinks = { Enumerable.Range(0, 300).Select(number => new OutputSymlink { Path = $"{number}", Target = new string('t', 3500) }) },
    };

    [TestCase("stage=queued", 1)]
    [TestCase("stage=completed", 0)]
    [TestCase("stage=queued worker=w9", 0)]
    [TestCase("target=//x:y", 0)]
    [TestCase("stage != completed", 1)]
    [TestCase("stage=QUEUED", 1)]
    [TestCase("stage = cache_check", 0)]
    [TestCase("stage!=queued", 0)]
    [TestCase("command=true", 1)]
    [TestCase("command = 'no such program'", 0)]
    [TestCase("command != \"no such program\"", 1)]
    [TestCase("platform=OSFamily:linux", 1)]
    [TestCase("platform=OSFamily=linux", 1)]
    [TestCase("platform=OSFamily:windows", 0)]
    [TestCase("invocation_id=i-7", 1)]
    [TestCase("invocation=i-7", 1)]
    [TestCase("invocation_id=i-8", 0)]
    [TestCase("correlated_invocations_id=c-1", 1)]
    [TestCase("tool_name=tool", 1)]
    [TestCase("tool_name=\"tool 1.2\"", 1)]
    [TestCase("tool_name=too", 0)]
    [TestCase("target_id=//a:b", 1)]
    [TestCase("action_mnemonic=Compile", 1)]
    [TestCase("stage != completed AND invocation_id=i-7", 1)]
    [TestCase("  stage=queued   and target=//a:b ", 1)]
    [TestCase("stage=queued AND target=//x:y", 0)]
    public async Task A_filter_selects(string filter, int count)
    {
        var metadata = new RequestMetadata
        {
            ToolDetails = new ToolDetails { ToolName = "tool", ToolVersion = "1.2" },
            ToolInvocationId = "i-7",
            CorrelatedInvocationsId = "c-1",
            TargetId = "//a:b",
            ActionMnemonic = "Compile",
        };
        var action = await StoreActionAsync(action => action.Platform = new WirePlatform { Properties = { new WirePlatform.Types.Property { Name = "OSFamily", Value = "linux" } } });
        using var call = Execution.Execute(
            new ExecuteRequest { ActionDigest = action.ToWire() },
            new Metadata { { "build.bazel.remote.execution.v2.requestmetadata-bin", metadata.ToByteArray() } },
            cancellationToken: Soon);
        Assert.That(await call.ResponseStream.MoveNext(Soon));

        Assert.That((await Operations.ListOperationsAsync(new ListOperationsRequest { Filter = filter })).Operations, Has.Count.EqualTo(count));
    }

    [Test]
    public async Task A_filter_selects_by_name_and_by_action()
    {
        var (name, _) = await SubmitAsync("a");
        await SubmitAsync("b");
        var action = (await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8("a"))).ToWire();

        foreach (string filter in (string[])[$"name={name}", $"action_digest={action.Hash}", $"action_digest={action.Hash}/{action.SizeBytes}", $"action_digest = {action.Hash}:{action.SizeBytes}"])
        {
            var page = await Operations.ListOperationsAsync(new ListOperationsRequest { Filter = filter });
            Assert.That(page.Operations.Select(operation => operation.Name), Is.EqualTo([name]), filter);
        }
    }

    [TestCase("stage=nowhere", 0)]
    [TestCase("stage", 0)]
    [TestCase("stage=", 0)]
    [TestCase("stage !", 0)]
    [TestCase("= queued", 0)]
    [TestCase("command='open", 0)]
    [TestCase("platform=linux", 0)]
    [TestCase("AND", 0)]
    [TestCase("stage=2", 0)]
    [TestCase("colour=red", 0)]
    [TestCase("nonsense", 0)]
    [TestCase("", -1)]
    public async Task A_bad_filter_or_page_size_is_INVALID_ARGUMENT(string filter, int pageSize) =>
        Assert.That(
            await CodeOf(async () => await Operations.ListOperationsAsync(new ListOperationsRequest { Filter = filter, PageSize = pageSize })),
            Is.EqualTo(StatusCode.InvalidArgument));

    [TestCase("nonsense")]
    [TestCase("operations/")]
    [TestCase("operations/zz345678901234567890123456789012")]
    public async Task A_page_token_that_is_the_name_of_no_operation_is_INVALID_ARGUMENT(string token)
    {
        await SubmitAsync();

        var refusal = await FailureOf(async () => await Operations.ListOperationsAsync(new ListOperationsRequest { PageToken = token }));

        Assert.That((refusal.StatusCode, refusal.Status.Detail.Contains("page_token", StringComparison.Ordinal)), Is.EqualTo((StatusCode.InvalidArgument, true)));
    }

    [Test] // REAPI E5, E6
    public async Task A_cancelled_operation_ends_with_CANCELLED_in_its_response()
    {
        var (name, call) = await SubmitAsync();

        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });

        Assert.That(await call.ResponseStream.MoveNext(Soon));
        var done = call.ResponseStream.Current;
        Assert.That((done.Done, done.ResultCase), Is.EqualTo((true, Operation.ResultOneofCase.Response)));
        Assert.That((StatusCode)done.Response.Unpack<ExecuteResponse>().Status.Code, Is.EqualTo(StatusCode.Cancelled));
    }

    [Test]
    public async Task Waiting_returns_the_end_or_the_state_when_time_is_up()
    {
        var (name, _) = await SubmitAsync();

        var running = await Operations.WaitOperationAsync(new WaitOperationRequest { Name = name, Timeout = new Duration() });
        Assert.That(running.Done, Is.False);

        var waiting = Operations.WaitOperationAsync(new WaitOperationRequest { Name = name }).ResponseAsync;
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });
        Assert.That((await waiting).Done);
    }

    [Test]
    public async Task A_negative_wait_is_INVALID_ARGUMENT()
    {
        var (name, _) = await SubmitAsync();

        Assert.That(
            await CodeOf(async () => await Operations.WaitOperationAsync(new WaitOperationRequest { Name = name, Timeout = new Duration { Seconds = -1 } })),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task Only_a_finished_operation_can_be_deleted()
    {
        var (name, call) = await SubmitAsync();
        Assert.That(
            await CodeOf(async () => await Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name })),
            Is.EqualTo(StatusCode.FailedPrecondition));

        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });
        while (await call.ResponseStream.MoveNext(Soon)) { }
        await Operations.DeleteOperationAsync(new DeleteOperationRequest { Name = name });

        Assert.That(await CodeOf(async () => await Operations.GetOperationAsync(new GetOperationRequest { Name = name })), Is.EqualTo(StatusCode.NotFound));
    }
}
