using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Priorities of results, from a request to the store.</summary>
internal sealed class ResultPriorityTests : ExecutionFixture
{
    private const int OutputBytes = 8_000_000;

    private static readonly TimeSpan Retention = TimeSpan.FromHours(4); // of the fixture's store

    private ScriptedWorker? _worker;
    private BatchesSeen _seen = null!;

    [TearDown]
    public void LetWorkerGo()
    {
        _worker?.Dispose();
        _worker = null;
    }

    [Test] // REAPI A6, E12
    public async Task Outputs_go_in_the_order_of_the_priorities_of_their_results([Values] bool isExecuted)
    {
        var outputs = new Dictionary<int, Digest>();
        foreach (int priority in (int[])[-1, 0, 1]) outputs[priority] = await PutAsync(OutputBytes, priority);
        Time.Advance(TimeSpan.FromHours(1));
        foreach (var (priority, output) in outputs)
        {
            var result = new ActionResult { OutputFiles = { new OutputFile { Path = "out", Digest = output.ToWire() } } };
            var policy = priority == 0 ? null : new ResultsCachePolicy { Priority = priority };
            if (isExecuted) await RunAsync(priority, result, policy);
            else await ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest { ActionDigest = DigestOf($"{priority}").ToWire(), ActionResult = result, ResultsCachePolicy = policy });
        }

        Time.Advance(Retention - TimeSpan.FromHours(1));
        await PutAsync(50_000_000, seed: 10);
        Assert.That(GoneOf(outputs), Is.EqualTo(new[] { 1 }), "its upload was promised, and storing it added nothing to that");

        Assert.That(await CodeOf(() => PutAsync(OutputBytes, seed: 11)), Is.EqualTo(StatusCode.ResourceExhausted));
        Time.Advance(TimeSpan.FromHours(1));
        await PutAsync(OutputBytes, seed: 11);
        Assert.That(GoneOf(outputs), Is.EqualTo(new[] { 0, 1 }));

        Time.Advance((Retention / 2) - TimeSpan.FromSeconds(1));
        Assert.That(await CodeOf(() => PutAsync(OutputBytes, seed: 12)), Is.EqualTo(StatusCode.ResourceExhausted));
        Time.Advance(TimeSpan.FromSeconds(1));
        await PutAsync(OutputBytes, seed: 12);
        Assert.That(GoneOf(outputs), Is.EqualTo(new[] { -1, 0, 1 }));
    }

    [TestCase(1, -1, -1)] // REAPI A6, E9
    [TestCase(-1, 1, -1)]
    [TestCase(2, 1, 1)]
    public async Task Of_those_who_share_a_run_the_one_counts_who_needs_its_result_most(int first, int second, int counts)
    {
        var action = await StoreActionAsync();
        using var one = Execute(action, request => request.ResultsCachePolicy = new ResultsCachePolicy { Priority = first });
        await NextAsync(one);
        using var other = Execute(action, request => request.ResultsCachePolicy = new ResultsCachePolicy { Priority = second });
        await NextAsync(other);

        _worker = await JoinAsync();
        var lease = await _worker.ReceiveLeaseAsync();

        Assert.That(Scheduler.FindLease(WorkerMessages.FromWire(lease.Lease_))!.Request.ResultPriority, Is.EqualTo(counts));
    }

    [Test]
    public async Task A_log_that_came_inline_is_promised_with_the_rest_of_its_result()
    {
        var output = await StoreAsync("an output");
        var result = new ActionResult
        {
            OutputFiles = { new OutputFile { Path = "out", Digest = output.ToWire() } },
            StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("said"),
            StderrRaw = Google.Protobuf.ByteString.CopyFromUtf8("complained"),
        };

        await ActionCache.UpdateActionResultAsync(new UpdateActionResultRequest { ActionDigest = DigestOf("an action").ToWire(), ActionResult = result });

        Assert.That(_seen.Last, Is.EquivalentTo(new[] { output, DigestOf("said"), DigestOf("complained") }));
    }

    protected override IBlobStore Served => _seen = new BatchesSeen(Store);

    private IEnumerable<int> GoneOf(Dictionary<int, Digest> outputs) =>
        outputs.Where(output => !Store.Holds(output.Value)).Select(output => output.Key).Order();

    private async Task<Digest> PutAsync(int sizeBytes, int seed)
    {
        byte[] data = new byte[sizeBytes];
        BitConverter.TryWriteBytes(data, seed);
        return await Store.WriteAllAsync(DigestFunction.Sha256, data, Soon);
    }

    private async Task RunAsync(int number, ActionResult result, ResultsCachePolicy? policy)
    {
        _worker ??= await JoinAsync();
        using var call = Execute(await StoreActionAsync(changeCommand: command => command.Arguments.Add($"{number}")), request => request.ResultsCachePolicy = policy);
        await _worker.FinishAsync(await _worker.ReceiveLeaseAsync(), result);
        Assert.That(ResponseOf(await LastAsync(call)).Status.Code, Is.Zero);
    }

    /// <summary>Which were asked for together last.</summary>
    private sealed class BatchesSeen(IBlobStore inner) : IBlobStore
    {
        public IReadOnlyList<Digest> Last { get; private set; } = [];

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            FindMissingAsync(digests, PromiseKind.Use, cancellationToken);

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken)
        {
            Last = digests;
            return inner.FindMissingAsync(digests, kind, cancellationToken);
        }

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) => inner.OpenReadAsync(digest, offset, cancellationToken);

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => inner.CreateWriterAsync(digest, cancellationToken);
    }
}
