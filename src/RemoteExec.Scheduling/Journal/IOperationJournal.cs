namespace RemoteExec.Scheduling;

/// <summary>
/// Where transitions are durable before anyone is told of them (DESIGN D2). Used by one scheduler at a time, which
/// calls <see cref="RecoverAsync"/> once, before anything else.
/// </summary>
public interface IOperationJournal : IAsyncDisposable
{
    /// <summary>
    /// Why appends wait, in one sentence with the remedy; null when they go on. What waits is neither lost nor acknowledged. Handlers
    /// return at once.
    /// </summary>
    event Action<string?>? StallChanged;

    /// <summary>Enough is obsolete that writing the live state anew pays.</summary>
    bool WantsCompaction { get; }

    /// <summary>What was acknowledged before, in order. Damage that is more than a torn tail is refused, in one sentence.</summary>
    /// <exception cref="JournalException">The journal cannot be read or is damaged.</exception>
    ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Returns when the records are durable, all of them or, after a crash, none. Calls take their place in the order
    /// in which they were made. A journal without room waits for room. After a failure it accepts nothing more: what reached
    /// the disk is unknown, so a retry could only pretend. The call itself returns at once, since it is made under the
    /// scheduler's lock; what awaits it may go on wherever the journal works, and must be short there.
    /// </summary>
    /// <exception cref="JournalException">The records may not be durable.</exception>
    ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces everything appended before this call by <paramref name="state"/>, in one step, beside the appends that go on meanwhile.
    /// The call takes its place among them and returns at once. The state is enumerated later and by another thread, which may wait
    /// for the scheduler's lock there, and changes meanwhile: it may include what is appended after this call, never less than what was
    /// appended before. Replay shrugs at what it knows already.
    /// </summary>
    /// <returns>False when it could not be done now, for lack of room or whatever else: all that was appended stands, and nothing waits.</returns>
    ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken);
}
