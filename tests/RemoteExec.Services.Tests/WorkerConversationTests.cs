using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>A worker's channels without a wire: what one message comes to is nothing to the next.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class WorkerConversationTests
{
    private readonly BreakableTime _time = new();
    private readonly ServicesOptions _options = new();

    [Test]
    public async Task News_that_fails_in_a_way_that_nobody_thought_of_is_not_taken_and_what_follows_is_heard()
    {
        await using var scheduler = new Scheduler(new SchedulerOptions(), new MemoryOperationJournal(), _time);
        await scheduler.StartAsync(default);
        using var logs = new LiveLogs(_ => null, _options, _time);
        var conversation = new WorkerConversation(scheduler, Store(), logs, rederivations: null, _options, _time);
        bool isHeard = false;
        await conversation.RunAsync(new News(Messages()), new Commands(), CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.That((isHeard, _time.Failures), Is.EqualTo((true, 1)));

        IEnumerable<WorkerMessage> Messages()
        {
            yield return new WorkerMessage { Hello = new Hello { WorkerId = "w1", Slots = 1 } };
            BreakableTime.BreakOnce();
            yield return new WorkerMessage { Heartbeat = new Heartbeat() };
            yield return new WorkerMessage { DrainRequested = new DrainRequested() };
            isHeard = scheduler.Snapshot().Workers.All(worker => worker.State != WorkerState.Ready);
        }
    }

    private MemoryBlobStore Store() => new(limitBytes: 1 << 20, retention: TimeSpan.FromHours(1), _time);

    /// <summary>Messages that are there already: whoever hears them goes on on the same thread.</summary>
    private sealed class News(IEnumerable<WorkerMessage> messages) : IAsyncStreamReader<WorkerMessage>
    {
        private readonly IEnumerator<WorkerMessage> _messages = messages.GetEnumerator();

        public WorkerMessage Current => _messages.Current;

        public Task<bool> MoveNext(CancellationToken cancellationToken) => Task.FromResult(_messages.MoveNext());
    }

    private sealed class Commands : IServerStreamWriter<CoordinatorMessage>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(CoordinatorMessage message) => Task.CompletedTask;

        public Task WriteAsync(CoordinatorMessage message, CancellationToken cancellationToken) => Task.CompletedTask;
    }

    /// <summary>A clock that fails once when it is told to, and only under the thread that has told it.</summary>
    private sealed class BreakableTime : TimeProvider
    {
        [ThreadStatic]
        private static bool _isBroken;

        private readonly ManualTime _inner = new();

        public int Failures { get; private set; }

        public override long TimestampFrequency => _inner.TimestampFrequency;

        public static void BreakOnce() => _isBroken = true;

        public override DateTimeOffset GetUtcNow() => Checked(_inner.GetUtcNow());

        public override long GetTimestamp() => Checked(_inner.GetTimestamp());

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            _inner.CreateTimer(callback, state, dueTime, period);

        private T Checked<T>(T time)
        {
            if (!_isBroken) return time;
            _isBroken = false;
            Failures++;
            throw new UnheardOfException();
        }
    }
}
