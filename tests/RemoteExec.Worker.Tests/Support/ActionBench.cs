using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging.Abstractions;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;
using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Worker.Tests;

/// <summary>Everything an action needs around it: a store with its blobs, work directories, a runner.</summary>
internal sealed class ActionBench : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private WorkDirectories? _workDirectories;
    private readonly CommandSlots _slots = new(1);
    private readonly LiveOutputs _liveOutputs;

    public ActionBench(TimeProvider? time = null)
    {
        Time = time ?? TimeProvider.System;
        _liveOutputs = new LiveOutputs(Time);
        Store = new FolderBlobStore(_folder.Sub("store"));
    }

    public FolderBlobStore Store { get; }

    /// <summary>What the coordinator hears of a lease before its report.</summary>
    public CollectedReports Reports { get; } = new();

    public string WorkPath => Path.Combine(_folder.Path, "work");

    private TimeProvider Time { get; }

    public OutputLimits OutputLimits { get; init; } = new();

    public TreeLimits Trees { get; init; } = new();

    public Digest Put(IMessage message) => Store.Put(DigestFunction.Sha256, message.ToByteArray());

    public Digest Put(string text) => Store.Put(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text));

    public static FileNode File(string name, Digest digest, bool executable = false) =>
        new() { Name = name, Digest = digest.ToWire(), IsExecutable = executable };

    public Lease Lease(WireCommand command, WireDirectory? root = null, Action<WireAction>? adjust = null)
    {
        var action = new WireAction
        {
            CommandDigest = Put(command).ToWire(),
            InputRootDigest = Put(root ?? new WireDirectory()).ToWire(),
        };
        adjust?.Invoke(action);
        return new Lease
        {
            Lease_ = new LeaseId { ExecutionId = "execution", Attempt = 1 },
            ActionDigest = Put(action).ToWire(),
            DigestFunction = Build.Bazel.Remote.Execution.V2.DigestFunction.Types.Value.Sha256,
            Timeout = Duration.FromTimeSpan(TimeSpan.FromMinutes(1)),
            QueuedTimestamp = Timestamp.FromDateTimeOffset(TimeProvider.System.GetUtcNow()),
        };
    }

    public ActionRunner Runner(ISandbox sandbox, SandboxWalls walls = SandboxWalls.None)
    {
        var options = new WorkerOptions
        {
            WorkerId = "bench",
            DataDirectory = _folder.Path,
            OutputLimits = OutputLimits,
            Trees = Trees,
        };
        _workDirectories ??= WorkDirectories.Open(_folder.Path, sandbox.FileOwner?.UserId ?? Posix.EffectiveUser, recycles: false, NullLogger.Instance);
        return new ActionRunner(
            options, new ActionFetcher(new BlobFetcher(Store, remote: null), Trees), new InputMaterialiser(Store, _workDirectories.Stock, copies: false),
            sandbox, walls, _slots, _liveOutputs, new OutputCollector(Store, OutputLimits, Trees, mayTakeFiles: false), uploader: null,
            Store, _workDirectories, Time, NullLogger.Instance);
    }

    public async ValueTask<LeaseFinished> RunAsync(ISandbox sandbox, Lease lease, CancellationToken cancellationToken = default)
    {
        await using var attempt = await Runner(sandbox).RunAsync(lease, Reports, cancellationToken);
        return attempt.Report;
    }

    /// <summary>Waits until every work directory that was given back is removed.</summary>
    public ValueTask SettleAsync() => _workDirectories?.DisposeAsync() ?? ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _liveOutputs.DisposeAsync();
        await SettleAsync();
        _slots.Dispose();
        _folder.Dispose();
    }
}
