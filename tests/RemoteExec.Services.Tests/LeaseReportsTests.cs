using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Any = Google.Protobuf.WellKnownTypes.Any;
using BadRequest = Google.Rpc.BadRequest;
using Blame = RemoteExec.Scheduling.Blame;
using DebugInfo = Google.Rpc.DebugInfo;
using Duration = Google.Protobuf.WellKnownTypes.Duration;
using LeaseId = RemoteExec.Scheduling.LeaseId;
using PreconditionFailure = Google.Rpc.PreconditionFailure;
using Timestamp = Google.Protobuf.WellKnownTypes.Timestamp;
using WireBlame = RemoteExec.Protocol.V1.Blame;

namespace RemoteExec.Services.Tests;

/// <summary>Every report becomes an outcome, whatever comes in the way of checking it.</summary>
internal sealed class LeaseReportsTests
{
    private static readonly LeaseId Id = new(new ExecutionId(1), 1);

    private readonly ManualTime _time = new();

    private static IEnumerable<TestCaseData> Obstacles()
    {
        TestCaseData Case(Exception obstacle, OutcomeCode code, Blame blame) =>
            new TestCaseData(obstacle, code, blame).SetArgDisplayNames(obstacle is RpcException rpc ? $"{rpc.StatusCode}" : obstacle.GetType().Name);

        yield return Case(new RpcException(new Status(StatusCode.InvalidArgument, "it")), OutcomeCode.Unavailable, Blame.Worker);
        yield return Case(new RpcException(new Status(StatusCode.NotFound, "it")), OutcomeCode.Unavailable, Blame.Worker);
        yield return Case(new RpcException(new Status(StatusCode.ResourceExhausted, "it")), OutcomeCode.ResourceExhausted, Blame.Action);
        yield return Case(new RpcException(new Status(StatusCode.Unavailable, "it")), OutcomeCode.Unavailable, Blame.Store);
        yield return Case(new RpcException(new Status(StatusCode.Internal, "it")), OutcomeCode.Unavailable, Blame.Store);
        yield return Case(new IOException("it"), OutcomeCode.Unavailable, Blame.Store);
        yield return Case(new NotSupportedException("it"), OutcomeCode.Internal, Blame.Coordinator);
        yield return Case(new OperationCanceledException("it"), OutcomeCode.Internal, Blame.Coordinator);
    }

    [TestCaseSource(nameof(Obstacles))]
    public async Task A_report_that_cannot_be_checked_is_the_failure_of_its_action(Exception obstacle, OutcomeCode code, Blame blame)
    {
        var outcome = await ReadAsync(new BrokenStore(obstacle), report => report.InlineResult = Result());

        Assert.That((outcome.Code, outcome.Blame), Is.EqualTo((code, blame)));
        Assert.That(outcome.Message, Does.Contain("it"));
        Assert.That(outcome.IsCacheWorthy, Is.False);
    }

    [Test]
    public void A_caller_that_hangs_up_is_no_outcome()
    {
        using var hangUp = new CancellationTokenSource();
        hangUp.Cancel();
        var reports = new LeaseReports(new BrokenStore(new OperationCanceledException(hangUp.Token)), new ServicesOptions(), _time);

        Assert.That(
            async () => await reports.ToOutcomeAsync(Id, Lease(), new ReportRequest { InlineResult = Result() }, hangUp.Token),
            Throws.InstanceOf<OperationCanceledException>());
    }

    [TestCase(WireBlame.Client, Blame.Client)]
    [TestCase(WireBlame.Action, Blame.Action)]
    [TestCase(WireBlame.Worker, Blame.Worker)]
    [TestCase(WireBlame.Coordinator, Blame.Coordinator)]
    [TestCase(WireBlame.Store, Blame.Store)]
    [TestCase(WireBlame.Unspecified, Blame.Worker, Description = "who does not say it is to blame")]
    [TestCase((WireBlame)77, Blame.Worker)]
    public async Task Whose_fault_it_was_is_what_the_worker_says_and_not_what_the_code_looks_like(WireBlame said, Blame blame)
    {
        foreach (var code in (StatusCode[])[StatusCode.Unavailable, StatusCode.ResourceExhausted, StatusCode.InvalidArgument])
        {
            var outcome = await ReadAsync(EmptyStore(), report => (report.Status, report.Blame) = (new RpcStatus { Code = (int)code, Message = "no" }, said));
            Assert.That((outcome.Blame, outcome.Code, outcome.Message), Is.EqualTo((blame, (OutcomeCode)code, "no")));
        }
    }

    [TestCase(99, OutcomeCode.Unknown)]
    [TestCase(-1, OutcomeCode.Unknown)]
    [TestCase(16, OutcomeCode.Unauthenticated)]
    public async Task A_code_that_no_client_has_a_name_for_is_UNKNOWN(int said, OutcomeCode code)
    {
        var outcome = await ReadAsync(EmptyStore(), report => (report.Status, report.Blame) = (new RpcStatus { Code = said, Message = "no" }, WireBlame.Action));

        Assert.That((outcome.Code, ResponseOf(outcome).Status.Code), Is.EqualTo((code, (int)code)));
    }

    [Test] // TRUST A4: sums of these are kept for as long as the server lives
    public void What_an_action_cannot_have_used_is_nothing()
    {
        var clean = WorkerWords.Clean(new Usage
        {
            InputBytes = -1, FetchedBytes = 1L << 62, OutputBytes = 7, MemoryPeakBytes = long.MinValue,
            UserTime = new Duration { Seconds = -3 }, SystemTime = new Duration { Seconds = 2, Nanos = 5 },
        });

        Assert.That((clean.InputBytes, clean.FetchedBytes, clean.OutputBytes, clean.MemoryPeakBytes), Is.EqualTo((0L, 0L, 7L, 0L)));
        Assert.That((clean.UserTime, clean.SystemTime), Is.EqualTo((new Duration(), new Duration { Seconds = 2, Nanos = 5 })));
    }

    [Test] // TRUST A4
    public async Task What_a_worker_says_of_a_failure_is_one_bounded_line_wherever_it_is_read()
    {
        foreach (string text in OddTexts)
        {
            var outcome = await ReadAsync(EmptyStore(), report =>
                (report.Status, report.Message, report.Blame) = (new RpcStatus { Code = 3, Message = text }, text, WireBlame.Client));
            var response = ResponseOf(outcome);

            foreach (string told in (string[])[outcome.Message, response.Status.Message, response.Message]) AssertLine(told);
        }
    }

    [Test]
    public async Task What_a_worker_says_of_a_run_is_one_bounded_line_wherever_it_is_read()
    {
        foreach (string text in OddTexts)
        {
            var outcome = await ReadAsync(EmptyStore(), report =>
                (report.InlineResult, report.Message) = (new ActionResult { ExecutionMetadata = new ExecutedActionMetadata { Worker = text } }, text));
            var response = ResponseOf(outcome);

            AssertLine(outcome.Message);
            AssertLine(response.Message);
            Assert.That(response.Result.ExecutionMetadata.Worker, Is.EqualTo("w1"), "who it is, is not its to say");
        }
    }

    [Test]
    public async Task Details_that_a_client_acts_on_are_kept_and_others_are_not()
    {
        string text = OddTexts[0];
        var missing = RpcErrors.MissingBlobsStatus([Digest.Of(DigestFunction.Sha256, "gone"u8)]);
        var said = missing.Clone();
        said.Details.Add(Any.Pack(new BadRequest { FieldViolations = { new BadRequest.Types.FieldViolation { Field = text, Description = text } } }));
        said.Details.Add(Any.Pack(new DebugInfo { Detail = text }));

        var details = ResponseOf(await ReadAsync(EmptyStore(), report => (report.Status, report.Blame) = (said, WireBlame.Client))).Status.Details;

        Assert.That(details[0], Is.EqualTo(missing.Details[0]), "byte for byte: a client uploads what it names");
        var violation = details[1].Unpack<BadRequest>().FieldViolations.Single();
        AssertLine(violation.Field);
        AssertLine(violation.Description);
        Assert.That(details, Has.Count.EqualTo(2));
    }

    [Test]
    public async Task A_report_with_parts_that_cannot_be_read_is_the_worker_s_fault()
    {
        var notes = new Any { TypeUrl = Any.Pack(new PreconditionFailure()).TypeUrl, Value = Google.Protobuf.ByteString.CopyFromUtf8("\u0007") };
        var never = new Timestamp { Seconds = long.MaxValue };

        foreach (var change in (Action<ReportRequest>[])
        [
            report => (report.Status, report.Blame) = (new RpcStatus { Code = 3, Details = { notes } }, WireBlame.Client),
            report => report.InlineResult = new ActionResult { ExecutionMetadata = new ExecutedActionMetadata { WorkerStartTimestamp = never } },
            report => report.InlineResult = new ActionResult { ExecutionMetadata = new ExecutedActionMetadata { ExecutionCompletedTimestamp = new Timestamp { Nanos = -1 } } },
        ])
        {
            var outcome = await ReadAsync(EmptyStore(), change);
            Assert.That((outcome.Code, outcome.Blame), Is.EqualTo((OutcomeCode.Unavailable, Blame.Worker)));
            Assert.That(outcome.Message, Does.StartWith("worker w1 reported"));
        }
    }

    [Test]
    public async Task What_went_well_is_nobody_s_fault()
    {
        var outcome = await ReadAsync(EmptyStore(), report => (report.InlineResult, report.Blame) = (new ActionResult(), WireBlame.Worker));

        Assert.That((outcome.Code, outcome.Blame, outcome.IsCacheWorthy), Is.EqualTo((OutcomeCode.Ok, Blame.None, true)));
    }

    [TestCase(IncompleteResults.Some, 0, false, false)]
    [TestCase(IncompleteResults.Some, 0, true, true, Description = "a test may write none")]
    [TestCase(IncompleteResults.Some, 1, false, true)]
    [TestCase(IncompleteResults.Always, 0, false, true)]
    [TestCase(IncompleteResults.Never, 0, true, false)]
    [TestCase(IncompleteResults.Never, 1, false, false)]
    [TestCase(IncompleteResults.Never, 2, false, true)]
    public async Task F05_a_success_that_did_not_write_what_it_announced_is_cached_as_configured_and_says_why_not(
        IncompleteResults configured, int written, bool optional, bool isCached)
    {
        var report = new ReportRequest
        {
            WorkerId = "w1",
            InlineResult = new ActionResult(),
            Outputs = new AnnouncedOutputs { Announced = 2, Written = written, FirstMissing = written == 2 ? "" : "b", Optional = optional },
        };

        var outcome = await new LeaseReports(EmptyStore(), new ServicesOptions { IncompleteResults = configured }, _time)
            .ToOutcomeAsync(Id, Lease(), report, CancellationToken.None);

        Assert.That((outcome.Code, outcome.IsCacheWorthy), Is.EqualTo((OutcomeCode.Ok, isCached)));
        string message = ExecuteResponse.Parser.ParseFrom(outcome.Response.Span).Message;
        Assert.That(message, isCached ? Does.Not.Contain("cached") : Does.StartWith("not cached, because").And.Contains(" b"));
    }

    [Test]
    public async Task F05_nothing_follows_where_nothing_was_announced_or_told()
    {
        foreach (var outputs in new[] { null, new AnnouncedOutputs() })
        {
            var outcome = await ReadAsync(EmptyStore(), report => (report.InlineResult, report.Outputs) = (new ActionResult(), outputs));
            Assert.That(outcome.IsCacheWorthy);
        }
    }

    [Test] // a full store is no reason to lose what the command had to say
    public async Task A_log_that_cannot_be_stored_travels_as_it_came_and_its_result_is_not_cached()
    {
        var result = new ActionResult { StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("why") };

        var outcome = await ReadAsync(new BrokenStore(new RpcException(new Status(StatusCode.ResourceExhausted, "full"))), report => report.InlineResult = result);

        Assert.That((outcome.Code, outcome.IsCacheWorthy), Is.EqualTo((OutcomeCode.Ok, false)));
        Assert.That(ExecuteResponse.Parser.ParseFrom(outcome.Response.Span).Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("why"));
    }

    [Test]
    public async Task Success_without_a_result_is_the_worker_s_fault()
    {
        var outcome = await ReadAsync(EmptyStore(), _ => { });

        Assert.That((outcome.Code, outcome.Blame, outcome.Message), Is.EqualTo((OutcomeCode.Unavailable, Blame.Worker, "worker w1 reported success without a result")));
    }

    [Test]
    public async Task A_result_that_is_not_where_the_report_says_is_the_worker_s_fault()
    {
        var outcome = await ReadAsync(EmptyStore(), report => report.ResultDigest = Digest.Of(DigestFunction.Sha256, "gone"u8).ToWire());

        Assert.That((outcome.Code, outcome.Blame, outcome.IsFalse), Is.EqualTo((OutcomeCode.Unavailable, Blame.Worker, true)));
    }

    [Test]
    public async Task Outputs_that_are_said_to_be_stored_and_are_not_are_a_lie_of_the_worker_s()
    {
        var outcome = await ReadAsync(EmptyStore(), report => report.InlineResult = Result());

        Assert.That((outcome.Code, outcome.Blame, outcome.IsFalse), Is.EqualTo((OutcomeCode.Unavailable, Blame.Worker, true)));
        Assert.That(outcome.Message, Does.StartWith("worker w1 reported 1 outputs that are not stored, the first is ").And.Contains(Digest.Of(DigestFunction.Sha256, "a"u8).Hash));
    }

    [Test]
    public async Task A_result_that_is_larger_than_any_is_not_read()
    {
        var digest = Digest.Of(DigestFunction.Sha256, "huge"u8).ToWire();
        digest.SizeBytes = 1L << 40;

        var outcome = await ReadAsync(EmptyStore(), report => report.ResultDigest = digest);

        Assert.That((outcome.Code, outcome.Blame), Is.EqualTo((OutcomeCode.ResourceExhausted, Blame.Action)));
    }

    [Test]
    public async Task A_result_that_came_as_a_blob_is_as_good_as_one_that_came_in_the_report()
    {
        var store = EmptyStore();
        var result = new ActionResult { ExitCode = 3, StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("so") };
        var digest = await store.WriteAllAsync(DigestFunction.Sha256, Google.Protobuf.MessageExtensions.ToByteArray(result), default);

        var blob = await ReadAsync(store, report => report.ResultDigest = digest.ToWire());
        var inline = await ReadAsync(store, report => report.InlineResult = result);

        Assert.That(blob.Response.ToArray(), Is.EqualTo(inline.Response.ToArray()));
        Assert.That(blob.ExitCode, Is.EqualTo(3));
    }

    [TestCase(1, "in the queue")]
    [TestCase(2, "in the queue, attempt 2")]
    public async Task A_client_is_told_of_attempts_and_not_of_what_was_called_back(int tries, string end)
    {
        var report = new ReportRequest { WorkerId = "w1", Status = new RpcStatus(), InlineResult = new ActionResult() };
        var outcome = await new LeaseReports(EmptyStore(), new ServicesOptions(), _time).ToOutcomeAsync(
            Id with { Attempt = 7 }, Lease() with { Tries = tries }, report, CancellationToken.None);

        Assert.That(ResponseOf(outcome).Message, Does.EndWith(end));
    }

    private ValueTask<ExecutionOutcome> ReadAsync(IBlobStore store, Action<ReportRequest> change)
    {
        var report = new ReportRequest { WorkerId = "w1", Status = new RpcStatus() };
        change(report);
        return new LeaseReports(store, new ServicesOptions(), _time).ToOutcomeAsync(Id, Lease(), report, CancellationToken.None);
    }

    private static readonly string[] OddTexts =
    [
        "it\u001b[2J\u001b]0;title\u0007\r\nERROR forged line",
        "it \u202etxt.exe\u2028\u0085 \ud800",
        "it " + new string('\n', 3 << 20),
        "it " + new string('x', 3 << 20),
    ];

    private static ExecuteResponse ResponseOf(ExecutionOutcome outcome) => ExecuteResponse.Parser.ParseFrom(outcome.Response.Span);

    private static void AssertLine(string text)
    {
        Assert.That(text, Does.StartWith("it").And.Length.LessThan(5000));
        Assert.That(PrintableText.Escape(text, int.MaxValue), Is.EqualTo(text));
    }

    private MemoryBlobStore EmptyStore() => new(limitBytes: 1 << 20, retention: TimeSpan.FromHours(1), _time);

    private static ActionResult Result() =>
        new() { OutputFiles = { new OutputFile { Path = "a", Digest = Digest.Of(DigestFunction.Sha256, "a"u8).ToWire() } } };

    private HeldLease Lease() => new(
        new ExecutionRequest
        {
            Instance = InstanceName.Empty,
            Action = Digest.Of(DigestFunction.Sha256, "action"u8),
            Platform = Platform.Empty,
            Timeout = TimeSpan.FromHours(1),
        },
        "w1", _time.GetUtcNow(), _time.GetUtcNow());

    private sealed class BrokenStore(Exception obstacle) : IBlobStore
    {
        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) => throw obstacle;

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) => throw obstacle;

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => throw obstacle;
    }
}
