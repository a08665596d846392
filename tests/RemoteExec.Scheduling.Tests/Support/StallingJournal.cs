namespace RemoteExec.Scheduling.Tests;

/// <summary>Accepts at once, until it is told to wait: then what is appended is durable only when it goes on.</summary>
internal sealed class StallingJournal : IOperationJournal
{
    private TaskCompletionSource _room = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private readonly TaskCompletionSource<List<JournalRecord>> _compacted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StallingJournal() => _room.SetResult();

    public event Action<string?>? StallChanged;

    public bool WantsCompaction { get; set; }

    public Task<List<JournalRecord>> Compacted => _compacted.Task;

    public List<JournalRecord> Appended { get; } = [];

    /// <summary>The next append takes its time, as every fsync does.</summary>
    public void Wait() => _room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>It takes longer than that, and says why.</summary>
    public void Stall(string reason)
    {
        Wait();
        StallChanged?.Invoke(reason);
    }

    public void GoOn()
    {
        StallChanged?.Invoke(null);
        _room.SetResult();
    }

    /// <summary>What waits, and whatever comes, is never durable.</summary>
    public void Break() => _room.SetException(new JournalException("the disk is on fire"));

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken) =>
        ValueTask.FromResult<IReadOnlyList<JournalRecord>>([]);

    public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken)
    {
        Appended.AddRange(records);
        return new ValueTask(_room.Task);
    }

    /// <summary>Never gets done.</summary>
    public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken)
    {
        _compacted.SetResult([.. state]);
        return new ValueTask<bool>(new TaskCompletionSource<bool>().Task);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
