using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// Remembers for a while which directories are complete. The store keeps what it reported present far longer than
/// this memory lasts (DESIGN D4), so an entry needs no second look.
/// </summary>
internal sealed class CompleteTreeMemory(TimeSpan duration, TimeProvider clock)
{
    // About 250 bytes each: some 15 MB when it is full. Actions that share inputs keep them remembered.
    private const int EntriesMax = 60_000;

    private readonly SizedLru<Digest, Entry> _seen = new(EntriesMax);

    public bool TryGet(Digest directory, out TreeSummary summary)
    {
        bool isKnown = _seen.TryGet(directory, out var entry);
        summary = entry.Summary;
        return isKnown && clock.GetElapsedTime(entry.SeenAt) < duration;
    }

    /// <param name="summaries">Complete directories with what they amount to.</param>
    /// <param name="seenAt">
    /// The clock's timestamp when the store was asked; before, not after, so that time spent asking counts. Monotonic: a wall clock
    /// that is set back would stretch a promise that the store keeps for a fixed time.
    /// </param>
    public void Add(IEnumerable<KeyValuePair<Digest, TreeSummary>> summaries, long seenAt)
    {
        foreach (var (directory, summary) in summaries)
            _seen.Set(directory, new Entry(summary, seenAt), size: 1);
    }

    /// <summary>Something in one of them is gone; which of them has it is not asked.</summary>
    public void Forget(IEnumerable<Digest> directories)
    {
        foreach (var directory in directories) _seen.Remove(directory);
    }

    private readonly record struct Entry(TreeSummary Summary, long SeenAt);
}
