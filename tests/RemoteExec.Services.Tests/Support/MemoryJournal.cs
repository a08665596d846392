using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>A journal that forgets with the test.</summary>
internal sealed class MemoryJournal : IOperationJournal
{
    private readonly Lock _gate = new();
    private readonly List<JournalRecord> _records = [];

    public bool WantsCompaction => false;

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken)
    {
        lock (_gate) return ValueTask.FromResult<IReadOnlyList<JournalRecord>>([.. _records]);
    }

    public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken)
    {
        lock (_gate) _records.AddRange(records);
        return ValueTask.CompletedTask;
    }

    public ValueTask CompactAsync(IReadOnlyList<JournalRecord> state, CancellationToken cancellationToken)
    {
        lock (_gate)
        {
            _records.Clear();
            _records.AddRange(state);
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
