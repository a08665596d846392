using RemoteExec.Scheduling;

namespace RemoteExec.Services.Tests;

/// <summary>A journal whose disk a test takes away.</summary>
internal sealed class BreakableJournal : IOperationJournal
{
    private readonly MemoryOperationJournal _inner = new();
    private volatile bool _isBroken;

    public event Action<string?>? StallChanged
    {
        add => _inner.StallChanged += value;
        remove => _inner.StallChanged -= value;
    }

    public bool WantsCompaction => _inner.WantsCompaction;

    public void Break() => _isBroken = true;

    public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken) => _inner.RecoverAsync(cancellationToken);

    public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken) => _isBroken
        ? ValueTask.FromException(new JournalException("the disk is gone"))
        : _inner.AppendAsync(records, cancellationToken);

    public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken) => _inner.CompactAsync(state, cancellationToken);

    public ValueTask DisposeAsync() => _inner.DisposeAsync();
}
