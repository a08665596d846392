using RemoteExec.Scheduling;

namespace RemoteExec.Testing;

/// <summary>A journal that remembers as long as the object lives.</summary>
internal sealed class MemoryOperationJournal : IOperationJournal
{
    // Compaction pays when most is obsolete; below this nobody notices.
    private const int CompactAfterMin = 10_000;

    private readonly Lock _gate = new();
    private List<JournalRecord> _records = [];
    private int _compactAfter = CompactAfterMin;

    // Memory that runs out ends the process.
    public event Action<string?>? StallChanged
    {
        add { }
        remove { }
    }

    public bool WantsCompaction
    {
        get
        {
            lock (_gate) return _records.Count >= _compactAfter;
        }
    }

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken)
    {
        lock (_gate) return ValueTask.FromResult<IReadOnlyList<JournalRecord>>([.. _records]);
    }

    public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken)
    {
        lock (_gate) _records.AddRange(records);
        return ValueTask.CompletedTask;
    }

    public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken)
    {
        int replaced;
        lock (_gate) replaced = _records.Count;
        // Not under our lock: whoever enumerates may have to wait for one of the scheduler's.
        List<JournalRecord> records = [.. state];
        lock (_gate)
        {
            _compactAfter = Math.Max(CompactAfterMin, records.Count * 2);
            records.AddRange(_records.Skip(replaced));
            _records = records;
        }

        return ValueTask.FromResult(true);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
