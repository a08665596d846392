using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// Writes the state anew when the journal wants it, beside everything else. The lock is held for one piece at a time; between two of
/// them everyone else goes on.
/// </summary>
internal sealed class Compaction(Lock gate, BuildQueue queue, IOperationJournal journal, TimeProvider time)
{
    /// <summary>Records for which the lock is held at once: some hundred microseconds, however many there are.</summary>
    public const int PieceRecords = 1000;

    // What went wrong for a reason of its own would go wrong with every commit, at the price of a whole state each.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMinutes(1);

    private Task _running = Task.CompletedTask;
    private long? _failedAt;

    /// <summary>After each commit, one at a time.</summary>
    public void BeginIfWanted()
    {
        if (!_running.IsCompleted || !journal.WantsCompaction) return;
        if (_failedAt is { } failedAt && time.GetElapsedTime(failedAt) < RetryAfter) return;

        // Elsewhere: whoever commits may hold the lock.
        _running = Task.Run(RunAsync);
    }

    private async Task RunAsync()
    {
        bool isServed = await ServingLoop.ServeAsync(
            async () => await journal.CompactAsync(State(), CancellationToken.None),
            // Nothing is lost: all that was appended stands.
            failure => Trace.TraceError(failure.ToString()));
        _failedAt = isServed ? null : time.GetTimestamp();
    }

    private IEnumerable<JournalRecord> State()
    {
        StateExport export;
        lock (gate) export = queue.Export();

        var piece = new List<JournalRecord>(PieceRecords);
        do
        {
            piece.Clear();
            lock (gate) export.Take(PieceRecords, piece);
            foreach (var record in piece) yield return record;
        }
        while (piece.Count > 0);
    }
}
