using System.Buffers.Binary;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Rpc.Tests;

namespace RemoteExec.Services.Tests;

/// <summary>A client that cancels frees what runs for it at once; one whose connection is lost has its grace.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class CancellationTests : ExecutionFixture
{
    private const string ExecutePath = "/build.bazel.remote.execution.v2.Execution/Execute";
    private const string WaitPath = "/build.bazel.remote.execution.v2.Execution/WaitExecution";
    private const string CancelPath = "/google.longrunning.Operations/CancelOperation";

    private readonly RecordedCalls _calls = new();

    protected override IReadOnlyList<IRpcObserver> Observers => [_calls];

    [Test]
    public async Task A_reset_of_Execute_kills_what_runs()
    {
        using var worker = await JoinAsync();
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(peer, 1, ExecutePath, new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() });
        var lease = await worker.ReceiveLeaseAsync();
        await worker.StartAsync(lease);
        await peer.SendResetAsync(1, Http2Error.Cancel);

        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task A_call_that_its_client_cancels_is_such_a_reset()
    {
        using var worker = await JoinAsync();
        using (var call = Execute(await StoreActionAsync())) await NextAsync(call);
        var lease = await worker.ReceiveLeaseAsync();

        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task A_reset_of_WaitExecution_is_the_same_wish_when_nobody_else_watches()
    {
        using var worker = await JoinAsync();
        using var lost = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(lost, 1, ExecutePath, new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() });
        await lost.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        var lease = await worker.ReceiveLeaseAsync();
        string name = Scheduler.List().Single().Name;
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(peer, 1, WaitPath, new WaitExecutionRequest { Name = name });
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        lost.Dispose();
        Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(ExecutePath));
        await peer.SendResetAsync(1, Http2Error.Cancel);

        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task It_is_also_when_the_stream_before_it_ends_later()
    {
        using var worker = await JoinAsync();
        var first = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(first, 1, ExecutePath, new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() });
        await first.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        var lease = await worker.ReceiveLeaseAsync();
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(peer, 1, WaitPath, new WaitExecutionRequest { Name = Scheduler.List().Single().Name });
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(WaitPath));
        first.Dispose();

        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task A_late_reset_of_the_stream_before_it_says_nothing_when_its_own_connection_is_lost()
    {
        using var worker = await JoinAsync();
        using var first = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(first, 1, ExecutePath, new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() });
        await first.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        var lease = await worker.ReceiveLeaseAsync();
        string name = Scheduler.List().Single().Name;
        var peer = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(peer, 1, WaitPath, new WaitExecutionRequest { Name = name });
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        await first.SendResetAsync(1, Http2Error.Cancel);
        Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(ExecutePath));
        peer.Dispose();
        Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(WaitPath));

        await worker.FinishAsync(lease, new ActionResult { ExitCode = 3 });
        var ended = await Operations.WaitOperationAsync(new WaitOperationRequest { Name = name }, cancellationToken: Soon);
        Assert.That(ResponseOf(ended).Result?.ExitCode, Is.EqualTo(3));
    }

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_connection_that_ends_with_or_without_a_goodbye_leaves_its_work_running(bool saysGoodbye)
    {
        using var worker = await JoinAsync();
        var peer = await Http2Peer.ConnectAsync(EndPoint);
        await CallAsync(peer, 1, ExecutePath, new ExecuteRequest { ActionDigest = (await StoreActionAsync()).ToWire() });
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        var lease = await worker.ReceiveLeaseAsync();
        if (saysGoodbye) await peer.SendGoAwayAsync(0, Http2Error.NoError);
        peer.Dispose();

        Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(ExecutePath));
        await worker.FinishAsync(lease, new ActionResult { ExitCode = 3 });
        var ended = await Operations.WaitOperationAsync(new WaitOperationRequest { Name = Scheduler.List().Single().Name }, cancellationToken: Soon);
        Assert.That(ResponseOf(ended).Result?.ExitCode, Is.EqualTo(3));
    }

    [Test]
    public async Task Work_of_nobody_goes_behind_work_of_somebody()
    {
        const int count = 8;
        using var worker = new ScriptedWorker(WorkerPool, Soon);
        await worker.GreetAsync("w1", hello => (hello.Slots, hello.Prefetch) = (1, 1));
        var gone = await Http2Peer.ConnectAsync(EndPoint);
        for (int i = 0; i < count; i++)
        {
            var action = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8($"{i}"));
            await CallAsync(gone, 2 * i + 1, ExecutePath, new ExecuteRequest { ActionDigest = action.ToWire() });
            await gone.ReadAsync(frame => frame.Type == Http2FrameType.Data); // it stands in line
        }

        await worker.StartAsync(await worker.ReceiveLeaseAsync());
        var ahead = await worker.ReceiveLeaseAsync();
        // It cancels nothing.
        gone.Dispose();
        for (int i = 0; i < count; i++) Assert.That((await _calls.NextAsync()).Method, Is.EqualTo(ExecutePath));
        var wanted = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8("somebody's"));
        using var call = Execute(wanted);
        await NextAsync(call);

        // What waits at the worker gives its place to the last in line, before the six that came earlier.
        Assert.That((await worker.ReceiveAsync()).RecallLease?.Lease, Is.EqualTo(ahead.Lease_));
        await worker.SendAsync(new WorkerMessage { LeaseReturned = new LeaseReturned { Lease = ahead.Lease_ } });
        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(ahead.Lease_), "it may forget it");
        Assert.That((await worker.ReceiveLeaseAsync()).ActionDigest, Is.EqualTo(wanted.ToWire()));
    }

    [Test]
    public async Task F31_a_cancel_that_arrived_is_carried_out_though_its_connection_is_closed_behind_it()
    {
        const int count = 10;
        using var worker = new ScriptedWorker(WorkerPool, Soon);
        await worker.GreetAsync("w1", hello => (hello.Slots, hello.Prefetch) = (4, 6));
        using var peer = await Http2Peer.ConnectAsync(EndPoint);
        for (int i = 0; i < count; i++)
        {
            var action = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8($"{i}"));
            await CallAsync(peer, 2 * i + 1, ExecutePath, new ExecuteRequest { ActionDigest = action.ToWire() });
            await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data); // its client knows of it
            await worker.ReceiveLeaseAsync();
        }

        using var canceller = await Http2Peer.ConnectAsync(EndPoint);
        int stream = 1;
        foreach (var operation in Scheduler.List())
        {
            await CallAsync(canceller, stream, CancelPath, new CancelOperationRequest { Name = operation.Name });
            stream += 2;
        }

        canceller.EndSending();
        for (int i = 0; i < count; i++)
            Assert.That((await worker.ReceiveAsync()).MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.CancelLease));
    }

    private static async Task CallAsync(Http2Peer peer, int stream, string path, IMessage request)
    {
        byte[] framed = new byte[5 + request.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - 5);
        request.WriteTo(framed.AsSpan(5));
        await peer.StartCallAsync(stream, path);
        await peer.SendDataAsync(stream, isEnd: true, framed);
    }
}
