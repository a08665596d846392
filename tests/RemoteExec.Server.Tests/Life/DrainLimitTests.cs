using Microsoft.Extensions.Logging.Abstractions;
using RemoteExec.Core;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server.Tests;

/// <summary>A drain in a time that the test moves, in rooms that do not end by themselves.</summary>
public sealed class DrainLimitTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private readonly ManualTime _time = new();

    [Test]
    public async Task A_worker_that_does_not_end_and_a_disk_that_does_not_answer_hold_up_a_drain_until_its_limit_and_no_longer()
    {
        using var folder = new TemporaryFolder();
        await using var store = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = Path.Combine(folder.Path, "cas"), LimitBytes = 1 << 20 }, _time, default);
        var connector = new DeafConnector();
        var worker = await LocalWorker.CreateAsync(
            new WorkerOptions { DataDirectory = folder.Path, Sandbox = SandboxMode.Off, DrainMax = DrainTimes.WorkMaxOf(Limit) },
            store, remote: null, connector, _time, NullLoggerFactory.Instance, default);
        await using var journal = new SilentJournal();
        var scheduler = new Scheduler(new SchedulerOptions(), journal, _time);
        await scheduler.StartAsync(default);
        var submitting = scheduler.SubmitAsync(
            new ExecutionRequest { Instance = InstanceName.Empty, Action = Digest.Of(DigestFunction.Sha256, "x"u8), Platform = Platform.Empty, Timeout = Limit }, default).AsTask();

        await using var running = new RunningServer(Options.Of("--data-dir", folder.Path, "--drain-limit", "5s"), _time, NullLoggerFactory.Instance, CancellationToken.None);
        running.Own(worker);
        running.Take(scheduler, services: null, ports: null, worker, () => "");
        using var stopping = new CancellationTokenSource();
        var life = running.RunAsync(stopping.Token);
        await stopping.CancelAsync();
        await _time.WaitForTimerAsync(DrainTimes.WorkMaxOf(Limit));
        Assert.That(life.IsCompleted, Is.False);
        _time.Advance(Limit);

        await life.WaitAsync(TimeSpan.FromMinutes(1)); // a hang becomes a failure
        Assert.That(submitting.IsCompleted, Is.False, "what is not durable is not acknowledged");
        connector.End();
    }

    [TestCase(100, ExpectedResult = 1075, Description = "time for a goodbye")]
    [TestCase(4000, ExpectedResult = 4000)]
    [TestCase(30000, ExpectedResult = 30000)]
    public int Nothing_is_waited_for_beyond_the_limit_but_for_a_goodbye_where_it_leaves_no_time_for_one(int limit) =>
        (int)DrainTimes.EndMaxOf(TimeSpan.FromMilliseconds(limit)).TotalMilliseconds;

    /// <summary>A coordinator that is not reached, and whose worker waits for it whatever it is told.</summary>
    private sealed class DeafConnector : IWorkerConnector
    {
        private readonly TaskCompletionSource<IWorkerConnection> _connection = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void End() => _connection.SetException(new InvalidOperationException("the test is over"));

        public async ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken) => await _connection.Task;
    }

    /// <summary>Its disk has begun to flush, and never says that it has.</summary>
    private sealed class SilentJournal : IOperationJournal
    {
        public event Action<string?>? StallChanged
        {
            add { }
            remove { }
        }

        public bool WantsCompaction => false;

        public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken) => ValueTask.FromResult<IReadOnlyList<JournalRecord>>([]);

        public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken) => new(new TaskCompletionSource().Task);

        public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken) => ValueTask.FromResult(false);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
