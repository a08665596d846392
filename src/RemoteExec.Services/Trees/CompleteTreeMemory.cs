using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// Remembers for a while which directories are complete. The store keeps what it reported present far longer than
/// this memory lasts (DESIGN D4), so an entry needs no second look.
/// </summary>
/// <remarks>
/// Two generations bound it: when the young one is full it becomes the old one, and what is asked for in the old one moves back.
/// So actions that share inputs keep them remembered, and one huge tree pushes out no more than half.
/// </remarks>
internal sealed class CompleteTreeMemory(TimeSpan duration, TimeProvider clock)
{
    // About 150 bytes each: some 15 MB when both generations are full.
    private const int GenerationMax = 50_000;

    private readonly Lock _lock = new();
    private Dictionary<Digest, Entry> _young = [];
    private Dictionary<Digest, Entry> _old = [];

    public bool TryGet(Digest directory, out TreeSummary summary)
    {
        lock (_lock)
        {
            bool isKnown = _young.TryGetValue(directory, out var entry);
            bool isOld = !isKnown && _old.Remove(directory, out entry);
            summary = entry.Summary;
            if (!(isKnown || isOld) || clock.GetElapsedTime(entry.SeenAt) >= duration) return false;

            if (isOld) Put(directory, entry);
            return true;
        }
    }

    /// <param name="summaries">Complete directories with what they amount to.</param>
    /// <param name="seenAt">
    /// The clock's timestamp when the store was asked; before, not after, so that time spent asking counts. Monotonic: a wall clock
    /// that is set back would stretch a promise that the store keeps for a fixed time.
    /// </param>
    public void Add(IEnumerable<KeyValuePair<Digest, TreeSummary>> summaries, long seenAt)
    {
        lock (_lock)
        {
            foreach (var (directory, summary) in summaries)
                Put(directory, new Entry(summary, seenAt));
        }
    }

    private void Put(Digest directory, Entry entry)
    {
        if (_young.Count >= GenerationMax) (_old, _young) = (_young, []);
        _young[directory] = entry;
    }

    private readonly record struct Entry(TreeSummary Summary, long SeenAt);
}
