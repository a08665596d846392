using System.Threading.Channels;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Lease = RemoteExec.Protocol.V1.Lease;
using ReportResponse = RemoteExec.Protocol.V1.ReportResponse;
using WireBlame = RemoteExec.Protocol.V1.Blame;

namespace RemoteExec.Services.Tests;

/// <summary>A farm whose store loses blobs, and which knows what made them.</summary>
internal abstract class RederivationFixture : ExecutionFixture
{
    private readonly ToldRederivations _told = new();
    private readonly ProducerTable _producers = ProducerTable.Open(new ProducerTableOptions());
    private readonly MemoryOperationJournal _journal = new();
    private LossyStore? _lossy;

    protected LossyStore Lossy => _lossy ??= new LossyStore(Store);

    protected override IBlobStore Served => Lossy;

    protected override IBlobStore StoreOfResults => Lossy;

    protected override ProducerTable Producers => _producers;

    /// <summary>The same for the next process.</summary>
    protected override IOperationJournal Journal => _journal;

    protected override ServicesOptions FirstOptions => new() { Observer = _told };

    /// <summary>What came of the next try.</summary>
    protected ValueTask<RederivedInputs> ToldAsync() => _told.Reader.ReadAsync(Soon);

    /// <summary>Nothing was tried so far.</summary>
    protected bool IsNothingTold => !_told.Reader.TryRead(out _);

    /// <summary>An action with these input files, told from others by its name.</summary>
    protected async Task<Digest> StoreActionAsync(string name, params (string Path, Digest Content)[] inputs)
    {
        var root = new WireDirectory();
        foreach (var (path, content) in inputs.OrderBy(input => input.Path, StringComparer.Ordinal))
            root.Files.Add(new FileNode { Name = path, Digest = content.ToWire() });
        var rootDigest = await StoreAsync(root);
        return await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire(), command => command.Arguments.Add(name));
    }

    /// <summary>Runs an action on the farm, which makes this.</summary>
    protected async Task MakeAsync(ScriptedWorker worker, Digest action, Digest output, Action<ExecuteRequest>? change = null)
    {
        using var call = Execute(action, change);
        await FinishAsync(worker, await LeaseAsync(worker, action), output);
        Assert.That(ResponseOf(await LastAsync(call)).Result.ExitCode, Is.Zero);
    }

    /// <summary>The next lease of this worker, which is of that action.</summary>
    protected async Task<Lease> LeaseAsync(ScriptedWorker worker, Digest action)
    {
        var lease = await worker.ReceiveLeaseAsync();
        Assert.That(lease.ActionDigest, Is.EqualTo(action.ToWire()));
        return lease;
    }

    /// <summary>Its output is stored, again or for the first time.</summary>
    protected async Task FinishAsync(ScriptedWorker worker, Lease lease, Digest output)
    {
        Lossy.Bring(output);
        await worker.FinishAsync(lease, ResultOf(output));
    }

    protected static ActionResult ResultOf(Digest output) => new() { OutputFiles = { new OutputFile { Path = "out", Digest = output.ToWire() } } };

    /// <summary>The next lease is of that action, and is done at once.</summary>
    protected async Task RunAsync(ScriptedWorker worker, Digest action, Digest output) =>
        await FinishAsync(worker, await LeaseAsync(worker, action), output);

    protected async Task AssertSucceedsAsync(AsyncServerStreamingCall<Operation> call)
    {
        var response = ResponseOf(await LastAsync(call));
        Assert.That((response.Status.Code, response.Result?.ExitCode), Is.EqualTo((0, (int?)0)), response.ToString());
    }

    protected async Task<ExecuteResponse> AssertLacksAsync(AsyncServerStreamingCall<Operation> call, params Digest[] missing)
    {
        var response = ResponseOf(await LastAsync(call));
        Assert.That((StatusCode)response.Status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(MissingSubjects(response.Status), Is.EquivalentTo(missing.Select(digest => $"MISSING blobs/{digest}")));
        return response;
    }

    protected static Task<ReportResponse> LackAsync(ScriptedWorker worker, Lease lease, Digest input) =>
        worker.FinishAsync(lease, RpcErrors.MissingBlobsStatus([input], "an input file"), WireBlame.Client);

    /// <summary>What an action made on this farm, that action, and another one, which needs it.</summary>
    protected async Task<(Digest Made, Digest Producer, Digest Consumer)> MakeAsync(ScriptedWorker worker)
    {
        var (made, producer) = (await StoreAsync("made"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made);
        return (made, producer, await StoreActionAsync("needs", ("f", made)));
    }

    /// <summary>And then it is lost.</summary>
    protected async Task<(Digest Made, Digest Producer, Digest Consumer)> MakeAndLoseAsync(ScriptedWorker worker)
    {
        var all = await MakeAsync(worker);
        Lossy.Lose(all.Made);
        return all;
    }

    /// <summary>What waited for its inputs gets its turn, and its client the result.</summary>
    protected async Task AssertGoesOnAsync(ScriptedWorker worker, Digest consumer, AsyncServerStreamingCall<Operation> call)
    {
        await RunAsync(worker, consumer, await StoreAsync("end"));
        await AssertSucceedsAsync(call);
    }

    protected async Task AssertRestoredAsync(Digest consumer, int runs) =>
        Assert.That(await ToldAsync(), Is.EqualTo(new RederivedInputs(consumer, RederivationOutcome.Restored, runs, "")));

    /// <summary>The second needs what the first makes.</summary>
    protected async Task<(Digest First, Digest Second, Digest Source, Digest Made)> MakeTwoAsync(ScriptedWorker worker)
    {
        var (source, made) = (await StoreAsync("source"), await StoreAsync("made"));
        var (first, second) = (await StoreActionAsync("1"), await StoreActionAsync("2", ("f", source)));
        await MakeAsync(worker, first, source);
        await MakeAsync(worker, second, made);
        return (first, second, source, made);
    }

    private sealed class ToldRederivations : IServicesObserver
    {
        private readonly Channel<RederivedInputs> _told = System.Threading.Channels.Channel.CreateUnbounded<RederivedInputs>();

        public ChannelReader<RederivedInputs> Reader => _told.Reader;

        public void Rederived(RederivedInputs inputs) => _told.Writer.TryWrite(inputs);
    }
}
