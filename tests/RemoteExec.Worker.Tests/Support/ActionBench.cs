using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Microsoft.Extensions.Logging.Abstractions;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;
using RemoteExec.Worker.Sandbox;
using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Worker.Tests;

/// <summary>Everything an action needs around it: a store with its blobs, work directories, a runner.</summary>
internal sealed class ActionBench : IAsyncDisposable
{
    private readonly TemporaryFolder _folder = new();
    private WorkDirectories? _workDirectories;
    private readonly Lines _lines = new();
    private readonly LiveOutputs _liveOutputs;
    private CommandStage? _command;

    public ActionBench(TimeProvider? time = null)
    {
        Time = time ?? TimeProvider.System;
        _lines.Open(new Line(Watcher, Limits.Default, Time));
        _liveOutputs = new LiveOutputs("bench", _lines, Time);
        Store = new FolderBlobStore(_folder.Sub("store"));
    }

    public FolderBlobStore Store { get; }

    /// <summary>What the coordinator is shown of a command while it runs.</summary>
    public WatchingCoordinator Watcher { get; } = new();

    /// <summary>The store that all share; null is the all-in-one.</summary>
    public IBlobStore? Remote { get; init; }

    /// <summary>What the runner works in: the store as it is, unless a test says otherwise.</summary>
    public ILocalBlobStore? Local { get; init; }

    /// <summary>What the coordinator takes.</summary>
    public Limits Limits { get; init; } = Limits.Default;

    public string WorkPath => Path.Combine(_folder.Path, "work");

    private TimeProvider Time { get; }

    public OutputLimits OutputLimits { get; init; } = new();

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
            Slots = 1,
            DataDirectory = _folder.Path,
            OutputLimits = OutputLimits,
        };
        _workDirectories ??= WorkDirectories.Open(_folder.Path, sandbox.FileOwner?.UserId ?? Posix.EffectiveUser, NullLogger.Instance);
        var own = new OwnedLocalBlobStore(Local ?? Store, Remote is null ? StoreOwner.Everybody : StoreOwner.Worker);
        var shared = Remote is null ? null : new OwnedBlobStore(Remote, StoreOwner.Everybody);
        var blobs = new BlobFetcher(own, shared);
        _command ??= new CommandStage(options, sandbox, walls, _liveOutputs);
        var patience = new StorePatience(Time);
        return new ActionRunner(
            options.WorkerId, _workDirectories,
            new InputStage(
                new ActionFetcher(blobs, () => Limits), blobs, new InputMaterialiser(own, sandbox.FileOwner?.UserId ?? Posix.EffectiveUser, copies: false), own, NullLogger.Instance),
            _command,
            new OutputStage(
                options, new OutputCollector(own, OutputLimits, () => Limits.Tree, mayTakeFiles: false), shared is null ? null : new OutputUploader(own, shared, patience), own, shared ?? own,
                patience, () => Limits),
            Time, NullLogger.Instance);
    }

    public async ValueTask<ReportRequest> RunAsync(ISandbox sandbox, Lease lease, CancellationToken cancellationToken = default)
    {
        await using var attempt = await Runner(sandbox).RunAsync(lease, _ => { }, cancellationToken);
        return attempt.Report!; // not stopped
    }

    /// <summary>Waits until every work directory that was given back is removed.</summary>
    public ValueTask SettleAsync() => _workDirectories?.DisposeAsync() ?? ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await _liveOutputs.DisposeAsync();
        await SettleAsync();
        _folder.Dispose();
    }
}
