using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Files;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker.Tests;

/// <summary>Who is to blame for what, cell by cell.</summary>
public sealed class BlameTableTests
{
    private const Blame C = Blame.Client, A = Blame.Action, W = Blame.Worker, S = Blame.Store;

    private static readonly (FailureKind Kind, Blame[] ByStage)[] Expected =
    [
        //                                Prepare Bring Run Take
        (FailureKind.Malformed,          [W, C, C, A]),
        (FailureKind.Unmet,              [W, C, C, A]),
        (FailureKind.TooMuch,            [W, C, A, A]),
        (FailureKind.Amiss,              [W, W, W, W]),
        (FailureKind.Name,               [W, C, W, A]),
        (FailureKind.Machine,            [W, W, W, W]),
        (FailureKind.OwnStore,           [W, W, W, W]),
        (FailureKind.OwnStoreContent,    [W, S, W, W]),
        (FailureKind.SharedStore,        [S, S, S, S]),
        (FailureKind.SharedStoreRefusal, [S, C, S, A]),
        (FailureKind.Unknown,            [W, W, W, W]),
    ];

    private static IEnumerable<TestCaseData> Cells() =>
        from row in Expected
        from stage in Enum.GetValues<Stage>()
        select new TestCaseData(row.Kind, stage, row.ByStage[(int)stage]).SetArgDisplayNames($"{row.Kind}", $"{stage}", $"{row.ByStage[(int)stage]}");

    private static IEnumerable<TestCaseData> Exceptions()
    {
        TestCaseData Case(Exception exception, FailureKind kind, string name) => new TestCaseData(exception, kind).SetArgDisplayNames(name);
        static RpcException Rpc(StatusCode code) => new(new Status(code, "it"));
        static StoreFailure Own(StatusCode code) => new(StoreOwner.Worker, Rpc(code));
        static StoreFailure Shared(StatusCode code) => new(StoreOwner.Everybody, Rpc(code));

        yield return Case(Rpc(StatusCode.InvalidArgument), FailureKind.Malformed, "a check of ours");
        yield return Case(RpcErrors.MissingBlobsStatus([Digest.Of(DigestFunction.Sha256, "x"u8)]).ToException(), FailureKind.Unmet, "missing inputs");
        yield return Case(Rpc(StatusCode.ResourceExhausted), FailureKind.TooMuch, "a limit of ours");
        yield return Case(Rpc(StatusCode.Internal), FailureKind.Amiss, "an altered input");
        yield return Case(Rpc(StatusCode.Unavailable), FailureKind.Amiss, "an output that is gone");
        yield return Case(new PathTooLongException(), FailureKind.Name, "a long path");
        yield return Case(new FileSystemException("mkdir n", Errno.ENAMETOOLONG), FailureKind.Name, "a long name");
        yield return Case(new FileSystemException("mkdir n", Errno.EEXIST), FailureKind.Name, "a name twice");
        yield return Case(new FileSystemException("open n", Errno.ENOTDIR), FailureKind.Name, "a file for a directory");
        yield return Case(new FileSystemException("mkdir n", Errno.ENOSPC), FailureKind.Machine, "a full disk");
        yield return Case(new FileSystemException("open n", Errno.EMFILE), FailureKind.Machine, "no descriptor left");
        yield return Case(new IOException("a file of ours", Errno.EEXIST), FailureKind.Machine, "a file of ours");
        yield return Case(new IOException("anything"), FailureKind.Machine, "a disk");
        yield return Case(new UnauthorizedAccessException(), FailureKind.Machine, "a right that is missing");
        yield return Case(Own(StatusCode.ResourceExhausted), FailureKind.OwnStore, "an own store that is full");
        yield return Case(Own(StatusCode.Unavailable), FailureKind.OwnStore, "an own store that is out of order");
        yield return Case(Own(StatusCode.InvalidArgument), FailureKind.OwnStoreContent, "a download that is another content");
        yield return Case(Shared(StatusCode.Unavailable), FailureKind.SharedStore, "an unreachable store");
        yield return Case(Shared(StatusCode.ResourceExhausted), FailureKind.SharedStore, "a store that is full");
        yield return Case(Shared(StatusCode.DeadlineExceeded), FailureKind.SharedStore, "a store that is slow");
        yield return Case(Shared(StatusCode.Internal), FailureKind.SharedStore, "a store that failed over one blob of a batch");
        yield return Case(Shared(StatusCode.InvalidArgument), FailureKind.SharedStoreRefusal, "a blob larger than any");
        yield return Case(new NotSupportedException(), FailureKind.Unknown, "what nobody thought of");
    }

    [TestCaseSource(nameof(Cells))]
    public void Every_cell_is_as_it_says(object kind, object stage, Blame blame) =>
        Assert.That(BlameTable.Of((Stage)stage, (FailureKind)kind), Is.EqualTo(blame));

    [Test]
    public void The_table_has_every_kind_of_failure() =>
        Assert.That(Expected.Select(row => row.Kind), Is.EqualTo(Enum.GetValues<FailureKind>()));

    [TestCaseSource(nameof(Exceptions))]
    public void An_exception_is_of_a_kind(Exception exception, object kind) =>
        Assert.That(Failure.KindOf(exception), Is.EqualTo((FailureKind)kind));

    [Test]
    public void The_mistake_of_a_client_is_told_in_the_words_of_the_check()
    {
        var failure = Failure.Of(Stage.Bring, new RpcException(new Status(StatusCode.ResourceExhausted, "too deep")), "w");

        Assert.That((failure.Blame, (StatusCode)failure.Status.Code, failure.Status.Message), Is.EqualTo((Blame.Client, StatusCode.ResourceExhausted, "too deep")));
    }

    [TestCase(Stage.Bring, StatusCode.InvalidArgument)]
    [TestCase(Stage.Take, StatusCode.FailedPrecondition)]
    public void A_name_that_no_file_can_have_is_never_the_fault_of_the_worker(object stage, StatusCode code)
    {
        var failure = Failure.Of((Stage)stage, new FileSystemException("mkdir n", Errno.ENAMETOOLONG), "w");

        Assert.That(((StatusCode)failure.Status.Code, failure.Status.Message), Is.EqualTo((code, "mkdir n: File name too long")));
    }

    [Test]
    public void A_worker_whose_store_is_full_does_not_say_that_the_server_is()
    {
        var full = new StoreFailure(StoreOwner.Worker, new RpcException(new Status(StatusCode.ResourceExhausted, "no room")));

        var failure = Failure.Of(Stage.Bring, full, "w7");

        Assert.That((failure.Blame, (StatusCode)failure.Status.Code), Is.EqualTo((Blame.Worker, StatusCode.Unavailable)));
        Assert.That(failure.Status.Message, Is.EqualTo("worker w7: no room"));
        Assert.That(failure.Status.Details, Is.Empty);
    }

    [Test]
    public void What_nobody_thought_of_is_internal()
    {
        var failure = Failure.Of(Stage.Run, new NotSupportedException("hm"), "w");

        Assert.That((failure.Blame, (StatusCode)failure.Status.Code, failure.Status.Message), Is.EqualTo((Blame.Worker, StatusCode.Internal, "worker w: hm")));
    }
}
