using System.Buffers.Binary;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc.Tests;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Clients that ask for many blobs and take no byte of any.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class UntakenAnswersTests : ServicesFixture
{
    private const int BlobBytes = 200 << 10;

    // Of these five fit; a connection may have one.
    private const int BudgetBytes = 1 << 20;
    private const int Fitting = 5;
    private const int Peers = 6;
    private const int CallsEach = 3;

    private readonly List<Http2Peer> _peers = [];
    private CountingStore? _counting;
    private WireDigest _blob = null!;

    protected override ServicesOptions FirstOptions => new() { UnsentAnswersBytesMax = BudgetBytes, OpenReadsMax = 4 };

    protected override IBlobStore Served => _counting ??= new CountingStore(Store);

    [TearDown]
    public void Leave() => _peers.ForEach(peer => peer.Dispose());

    [TestCase(true)]
    [TestCase(false)]
    public async Task Answers_that_nobody_takes_stay_within_their_budget_until_their_clients_reset_or_leave(bool isReset)
    {
        await AskAndTakeNothingAsync();
        Assert.That(_counting!.Reads, Is.EqualTo(Fitting), "who waits has read nothing");
        Assert.That(Services.UnsentAnswersBytes, Is.InRange(Fitting * BlobBytes, BudgetBytes));

        var other = Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { _blob } }, cancellationToken: Soon).ResponseAsync;
        await Time.WaitForTimersAsync((Peers * CallsEach) - Fitting + 1, AnswerBudget.WaitMax);
        Assert.That(other.IsCompleted, Is.False);
        foreach (var peer in _peers)
        {
            for (int call = 0; isReset && call < CallsEach; call++) await peer.SendResetAsync((2 * call) + 1, Http2Error.Cancel);
            if (!isReset) peer.Dispose();
        }

        Assert.That((await other).Responses.Single().Data, Has.Length.EqualTo(BlobBytes));
        Channel.Dispose();
        await StopPortAsync(); // every call has ended
        Assert.That(Services.UnsentAnswersBytes, Is.Zero);
    }

    [Test]
    public async Task While_large_answers_wait_small_ones_are_given()
    {
        await AskAndTakeNothingAsync();
        var small = (await StoreAsync("small")).ToWire();

        var answer = await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { small } }, cancellationToken: Soon);

        Assert.That(answer.Responses.Single().Data.ToStringUtf8(), Is.EqualTo("small"));
    }

    [Test]
    public async Task A_large_answer_that_finds_no_room_in_time_is_RESOURCE_EXHAUSTED_and_may_be_tried_again()
    {
        await AskAndTakeNothingAsync();
        var other = Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { _blob } }, cancellationToken: Soon).ResponseAsync;
        await Time.WaitForTimersAsync((Peers * CallsEach) - Fitting + 1, AnswerBudget.WaitMax);
        Time.Advance(AnswerBudget.WaitMax);

        var refusal = await FailureOf(() => other);
        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(refusal.ToStatus().Details.Single().Is(Google.Rpc.RetryInfo.Descriptor));
    }

    [Test]
    public async Task A_result_is_inlined_within_the_same_budget_and_goes_without_where_there_is_none()
    {
        await AskAndTakeNothingAsync();
        var request = await StoreResultAsync();

        var answer = await ActionCache.GetActionResultAsync(request, cancellationToken: Soon);

        Assert.That((answer.StdoutRaw.IsEmpty, answer.StdoutDigest), Is.EqualTo((true, _blob)));
        Assert.That(_counting!.Reads, Is.EqualTo(Fitting));
    }

    [Test]
    public async Task A_hit_of_Execute_is_inlined_within_the_same_budget_and_goes_without_where_there_is_none()
    {
        await AskAndTakeNothingAsync();
        var request = await StoreResultAsync();

        using var call = Execution.Execute(ExecuteOf(request), cancellationToken: Soon);
        Assert.That(await call.ResponseStream.MoveNext(Soon));

        var result = call.ResponseStream.Current.Response.Unpack<ExecuteResponse>().Result;
        Assert.That((result.StdoutRaw.IsEmpty, result.StdoutDigest), Is.EqualTo((true, _blob)));
    }

    [Test]
    public async Task A_long_question_for_missing_blobs_waits_for_room_for_its_answer()
    {
        await AskAndTakeNothingAsync();
        var request = new FindMissingBlobsRequest { BlobDigests = { Enumerable.Range(0, 400).Select(number => DigestOf($"{number}").ToWire()) } };
        var answer = Cas.FindMissingBlobsAsync(request, cancellationToken: Soon).ResponseAsync;
        await WaitForOneMoreAsync(answer);

        _peers.ForEach(peer => peer.Dispose());

        Assert.That((await answer).MissingBlobDigests, Has.Count.EqualTo(400));
    }

    [Test]
    public async Task A_page_of_a_tree_waits_for_room()
    {
        await AskAndTakeNothingAsync();
        var root = await StoreDirectoryAsync(DirectoryOf(files: 400));
        using var call = Cas.GetTree(new GetTreeRequest { RootDigest = root }, cancellationToken: Soon);
        var page = call.ResponseStream.MoveNext(Soon);
        await WaitForOneMoreAsync(page);

        _peers.ForEach(peer => peer.Dispose());

        Assert.That(await page);
        Assert.That(call.ResponseStream.Current.Directories.Single().Files, Has.Count.EqualTo(400));
    }

    [Test] // two pages that hold a part and wait for the rest would wait for each other
    public async Task A_page_for_which_there_is_no_more_room_leaves_as_it_is()
    {
        // Each takes more than half of what a connection may have.
        var (one, two) = (await StoreDirectoryAsync(DirectoryOf(files: 2000)), await StoreDirectoryAsync(DirectoryOf(files: 2001)));
        var root = await StoreDirectoryAsync(new Build.Bazel.Remote.Execution.V2.Directory
        {
            Directories = { new DirectoryNode { Name = "one", Digest = one }, new DirectoryNode { Name = "two", Digest = two } },
        });

        using var call = Cas.GetTree(new GetTreeRequest { RootDigest = root }, cancellationToken: Soon);
        var pages = new List<int>();
        while (await call.ResponseStream.MoveNext(Soon)) pages.Add(call.ResponseStream.Current.Directories.Count);

        Assert.That(pages, Is.EqualTo([2, 1]));
        Assert.That(Services.UnsentAnswersBytes, Is.Zero);
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task What_is_inlined_and_not_taken_counts_until_its_client_leaves(bool isExecute)
    {
        _blob = (await Store.WriteAllAsync(DigestFunction.Sha256, new byte[BlobBytes], Soon)).ToWire();
        var asked = await StoreResultAsync();
        byte[] request = Frame(isExecute ? ExecuteOf(asked) : asked);
        using var peer = await Http2Peer.ConnectAsync(EndPoint, (0x4, 0)); // INITIAL_WINDOW_SIZE
        await peer.StartCallAsync(1, isExecute
            ? "/build.bazel.remote.execution.v2.Execution/Execute" : "/build.bazel.remote.execution.v2.ActionCache/GetActionResult");
        await peer.SendDataAsync(1, isEnd: true, request);
        await _counting!.WaitForReadsAsync(1).WaitAsync(Soon);
        Assert.That(Services.UnsentAnswersBytes, Is.EqualTo(BlobBytes));

        peer.Dispose();
        Channel.Dispose();
        await StopPortAsync();
        Assert.That(Services.UnsentAnswersBytes, Is.Zero);
    }

    [TestCase(true)]
    [TestCase(false)]
    public async Task Reads_that_nobody_takes_hold_so_many_files_and_no_other_connection_up(bool isReset)
    {
        // One for a connection, of four.
        var digest = await Store.WriteAllAsync(DigestFunction.Sha256, new byte[4 << 20], Soon);
        byte[] request = Frame(new ReadRequest { ResourceName = $"blobs/{digest}" });
        using var peer = await Http2Peer.ConnectAsync(EndPoint, (0x4, 0)); // INITIAL_WINDOW_SIZE
        await peer.StartCallAsync(1, "/google.bytestream.ByteStream/Read");
        await peer.SendDataAsync(1, isEnd: true, request);
        await _counting!.WaitForReadsAsync(1).WaitAsync(Soon); // or the second might be the first
        await peer.StartCallAsync(3, "/google.bytestream.ByteStream/Read");
        await peer.SendDataAsync(3, isEnd: true, request);
        await Time.WaitForTimerAsync(AnswerBudget.WaitMax);
        Assert.That(_counting.Reads, Is.EqualTo(1), "the second waits");
        using var other = Bytes.Read(new ReadRequest { ResourceName = $"blobs/{digest}" }, cancellationToken: Soon);
        Assert.That(await other.ResponseStream.MoveNext(Soon), "others are served");
        await _counting.WaitForReadsAsync(1).WaitAsync(Soon);

        if (isReset)
        {
            await peer.SendResetAsync(1, Http2Error.Cancel);
            await _counting.WaitForReadsAsync(1).WaitAsync(Soon);
        }
        else
        {
            Time.Advance(AnswerBudget.WaitMax);
            Assert.That((await peer.ReadAnswerAsync(3))["grpc-status"], Is.EqualTo("8"), "RESOURCE_EXHAUSTED");
        }
    }

    private static ExecuteRequest ExecuteOf(GetActionResultRequest hit) => new() { ActionDigest = hit.ActionDigest, InlineStdout = true };

    private async Task<WireDigest> StoreDirectoryAsync(Build.Bazel.Remote.Execution.V2.Directory directory) =>
        (await Store.WriteAllAsync(DigestFunction.Sha256, directory.ToByteArray(), Soon)).ToWire();

    private static Build.Bazel.Remote.Execution.V2.Directory DirectoryOf(int files) => new()
    {
        Files = { Enumerable.Range(0, files).Select(number => new FileNode { Name = $"file{number:d6}", Digest = DigestOf("content").ToWire() }) },
    };

    /// <summary>Beside those that wait already.</summary>
    private async Task WaitForOneMoreAsync(Task answer)
    {
        await Time.WaitForTimersAsync((Peers * CallsEach) - Fitting + 1, AnswerBudget.WaitMax);
        Assert.That(answer.IsCompleted, Is.False);
    }

    private async Task<GetActionResultRequest> StoreResultAsync()
    {
        var action = DigestOf("an action");
        await Cache.PutAsync(new ActionCacheKey(default, action), new ActionResult { StdoutDigest = _blob }, Soon);
        return new GetActionResultRequest { ActionDigest = action.ToWire(), InlineStdout = true };
    }

    /// <summary>Returns when all calls have what they get: their answer, which stays here, or a wait for it.</summary>
    private async Task AskAndTakeNothingAsync()
    {
        _blob = (await Store.WriteAllAsync(DigestFunction.Sha256, new byte[BlobBytes], Soon)).ToWire();
        byte[] request = Frame(new BatchReadBlobsRequest { Digests = { _blob } });
        for (int i = 0; i < Peers; i++)
        {
            var peer = await Http2Peer.ConnectAsync(EndPoint, (0x4, 0)); // INITIAL_WINDOW_SIZE
            _peers.Add(peer);
            for (int call = 0; call < CallsEach; call++)
            {
                await peer.StartCallAsync((2 * call) + 1, "/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchReadBlobs");
                await peer.SendDataAsync((2 * call) + 1, isEnd: true, request);
            }
        }

        await Time.WaitForTimersAsync((Peers * CallsEach) - Fitting, AnswerBudget.WaitMax);
        await _counting!.WaitForReadsAsync(Fitting).WaitAsync(Soon);
    }

    private static byte[] Frame(IMessage message)
    {
        byte[] framed = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - 5);
        message.WriteTo(framed.AsSpan(5));
        return framed;
    }

    private sealed class CountingStore(IBlobStore inner) : IBlobStore
    {
        private readonly SemaphoreSlim _opened = new(0);
        private int _reads;

        public int Reads => Volatile.Read(ref _reads);

        public async Task WaitForReadsAsync(int count)
        {
            for (int i = 0; i < count; i++) await _opened.WaitAsync();
        }

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            inner.FindMissingAsync(digests, cancellationToken);

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref _reads);
            _opened.Release();
            return inner.OpenReadAsync(digest, offset, cancellationToken);
        }

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            inner.CreateWriterAsync(digest, cancellationToken);
    }
}
