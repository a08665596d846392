using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>The real thing in one process: disk store, launcher, lease loop; only the coordinator is scripted.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class LocalWorkerTests
{
    private readonly TemporaryFolder _folder = new();
    private readonly ScriptedCoordinator _coordinator = new();
    private readonly CancellationTokenSource _drain = new();
    private DiskBlobStore _store = null!;
    private LocalWorker _worker = null!;
    private Task _running = Task.CompletedTask;
    private InMemoryCoordinatorStream _stream = null!;

    [SetUp]
    public async Task Start()
    {
        _store = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = _folder.Sub("cas"), LimitBytes = 1 << 30 }, TimeProvider.System, default);
        // Degrade: the walls that this kernel has; the sandbox's own tests say what each of them stops.
        var options = new WorkerOptions { WorkerId = "w", Slots = 2, DataDirectory = _folder.Path, Sandbox = SandboxMode.Degrade };
        _worker = await LocalWorker.CreateAsync(options, _store, remote: null, _coordinator, TimeProvider.System, NullLoggerFactory.Instance, default);
        _running = _worker.RunAsync(_drain.Token);
        (_stream, _) = await _coordinator.WelcomeAsync();
    }

    [TearDown]
    public async Task Stop()
    {
        await _drain.CancelAsync();
        while (await _stream.MoveNext(default) && _stream.Current.MessageCase != WorkerMessage.MessageOneofCase.DrainRequested)
        {
        }
        _stream.Complete();
        await _running;
        await _worker.DisposeAsync();
        await _store.DisposeAsync();
        _folder.Dispose();
    }

    [Test]
    public async Task A_shell_command_reads_linked_inputs_and_its_outputs_become_blobs()
    {
        var input = await PutAsync("hello\n"u8.ToArray());
        var root = new WireDirectory { Files = { new FileNode { Name = "input", Digest = input.ToWire() } } };

        var report = await RunAsync(
            "cat input > out/copy; mkdir out/tree; ln -s ../copy out/tree/link; echo told; echo warned >&2; id -u", root, ["out/copy", "out/tree"]);

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK), report.Status.Message);
        Assert.That(report.InlineResult.ExitCode, Is.Zero, report.InlineResult.StderrRaw.ToStringUtf8());
        Assert.That(report.InlineResult.OutputFiles.Single().Digest, Is.EqualTo(input.ToWire()), "the copy is the same blob");
        Assert.That(report.InlineResult.OutputDirectories.Single().Path, Is.EqualTo("out/tree"));
        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Does.StartWith("told\n"));
        Assert.That(report.InlineResult.StderrRaw.ToStringUtf8(), Is.EqualTo("warned\n"));
    }

    [Test]
    public async Task An_action_cannot_change_its_inputs_for_others()
    {
        var input = await PutAsync("original"u8.ToArray());
        var root = new WireDirectory { Files = { new FileNode { Name = "input", Digest = input.ToWire(), IsExecutable = true } } };

        var report = await RunAsync("chmod 777 input; echo tampered > input; true", root, []);

        var content = await _store.ReadAllAsync(input, 100, default);
        Assert.That(content?.ToArray(), Is.EqualTo("original"u8.ToArray()), report.InlineResult?.StderrRaw.ToStringUtf8());
    }

    [Test]
    public async Task A_timeout_kills_the_tree_and_keeps_the_output()
    {
        var report = await RunAsync("echo begun; sleep 1000 & sleep 1000", new WireDirectory(), [], TimeSpan.FromMilliseconds(300));

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8(), Is.EqualTo("begun\n"));
    }

    [Test]
    public async Task A_signal_is_128_and_its_number()
    {
        var report = await RunAsync("kill -SEGV $$", new WireDirectory(), []);

        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.OK));
        Assert.That(report.InlineResult.ExitCode, Is.EqualTo(139));
        Assert.That(report.Message, Does.Contain("signal 11"));
    }

    [Test]
    public async Task A_cancelled_command_is_killed_and_the_worker_takes_the_next()
    {
        var id = CoordinatorStreamExtensions.Id("endless");
        await _stream.WriteAsync(new CoordinatorMessage { Lease = await LeaseAsync("sleep 100000", new WireDirectory(), [], id, null) });
        Assert.That((await _stream.NextAsync()).LeaseStarted.Lease, Is.EqualTo(id));
        await _stream.CancelAsync(id);
        Assert.That((await _stream.NextAsync()).LeaseStopped.Lease, Is.EqualTo(id), "it is dead");

        var report = await RunAsync("true", new WireDirectory(), []);
        Assert.That(report.InlineResult.ExitCode, Is.Zero);
    }

    [Test]
    public async Task Two_thousand_inputs_are_there()
    {
        var root = new WireDirectory();
        for (int d = 0; d < 20; d++)
        {
            var directory = new WireDirectory();
            for (int f = 0; f < 100; f++)
            {
                var digest = await PutAsync(System.Text.Encoding.UTF8.GetBytes($"{d}/{f % 10}"));
                directory.Files.Add(new FileNode { Name = $"f{f:000}", Digest = digest.ToWire() });
            }
            root.Directories.Add(new DirectoryNode { Name = $"d{d:00}", Digest = (await PutAsync(directory.ToByteArray())).ToWire() });
        }

        var report = await RunAsync("find . -type f | wc -l", root, []);

        Assert.That(report.InlineResult.StdoutRaw.ToStringUtf8().Trim(), Is.EqualTo("2000"));
    }

    private ValueTask<Digest> PutAsync(byte[] bytes) => _store.WriteAllAsync(DigestFunction.Sha256, bytes, default);

    private async Task<Lease> LeaseAsync(string script, WireDirectory root, string[] outputs, LeaseId id, TimeSpan? timeout)
    {
        var command = new WireCommand { Arguments = { "sh", "-c", script } };
        command.OutputPaths.AddRange(outputs);
        var action = new WireAction
        {
            CommandDigest = (await PutAsync(command.ToByteArray())).ToWire(),
            InputRootDigest = (await PutAsync(root.ToByteArray())).ToWire(),
        };
        return new Lease
        {
            Lease_ = id,
            ActionDigest = (await PutAsync(action.ToByteArray())).ToWire(),
            DigestFunction = Build.Bazel.Remote.Execution.V2.DigestFunction.Types.Value.Sha256,
            Timeout = timeout is null ? null : Duration.FromTimeSpan(timeout.Value),
        };
    }

    private async Task<ReportRequest> RunAsync(string script, WireDirectory root, string[] outputs, TimeSpan? timeout = null)
    {
        var id = CoordinatorStreamExtensions.Id($"e{Guid.NewGuid()}");
        await _stream.WriteAsync(new CoordinatorMessage { Lease = await LeaseAsync(script, root, outputs, id, timeout) });
        var report = await _coordinator.TakeReportAsync();
        Assert.That(report.Lease, Is.EqualTo(id));
        return report;
    }
}
