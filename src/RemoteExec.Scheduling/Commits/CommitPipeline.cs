using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// From what the queue decided to those who are told of it, through the journal (DESIGN D2):
/// <code>
/// transitions -> open commit -> hooks start, new work is offered -> one append -> all others are told, in order -> next commit
/// </code>
/// One commit at a time, which keeps the order; what comes meanwhile shares the next append.
/// </summary>
/// <param name="gate">The scheduler's lock.</param>
/// <param name="failed">The journal has failed, and with it everything: told once.</param>
internal sealed class CommitPipeline(
    Lock gate, IOperationJournal journal, Audience audience, Completions completions, Compaction compaction, Action<SchedulingException> failed)
{
    private Commit _open = new();
    private Commit? _current;
    private Task _committing = Task.CompletedTask;
    private bool _isCommitting;
    private SchedulingException? _fault;

    /// <summary>Under the lock: takes what was decided and sees that somebody commits it. Completes when it is durable and told.</summary>
    public Task Add(Transitions transitions)
    {
        if (transitions.IsEmpty) return Task.CompletedTask;
        if (_fault is not null) return Task.FromException(_fault);

        var commit = _open;
        commit.Add(transitions);
        if (!_isCommitting)
        {
            _isCommitting = true;
            // Gets as far as the journal, which takes the records and answers later; no thread is woken for less.
            _committing = CommitAllAsync();
        }

        return commit.Done;
    }

    /// <summary>Under the lock: completes when all that was decided so far is durable and told.</summary>
    public Task Settled() =>
        _fault is not null ? Task.FromException(_fault)
        : !_open.IsEmpty ? _open.Done
        : _current?.Done ?? Task.CompletedTask;

    /// <summary>What a shutdown has to wait for; null when nothing is under way.</summary>
    public Task? UnderWay()
    {
        lock (gate) return _isCommitting ? _committing : null;
    }

    /// <summary>Begins under the lock, up to the first append, and goes on wherever the journal answers: it only hands things on.</summary>
    private async Task CommitAllAsync()
    {
        while (Next() is { } commit)
        {
            // All of it, whatever it is that fails: a commit without an end would be waited for for ever, and every later one with it.
            if (!await ServingLoop.ServeAsync(
                (Pipeline: this, Commit: commit),
                static committing => committing.Pipeline.CommitAsync(committing.Commit),
                static (committing, failure) => committing.Pipeline.Fail(committing.Commit, failure))) return;
        }
    }

    private async ValueTask CommitAsync(Commit commit)
    {
        var endings = completions.Begin(commit);
        bool isDurable = false;
        try
        {
            OfferNewWork(commit);
            // Whatever the journal throws, we do not know what reached the disk.
            await AppendAsync(commit);
            isDurable = true;
        }
        finally
        {
            // Nobody hears of these ends, but whoever owns what the hooks write to closes it after us.
            if (!isDurable) completions.Abandon(endings);
        }

        foreach (var effect in commit.Effects) audience.Tell(effect);
        completions.Publish(endings);
        commit.Succeed();
        compaction.BeginIfWanted();
    }

    private Commit? Next()
    {
        lock (gate)
        {
            _current = _open.IsEmpty ? null : _open;
            _isCommitting = _current is not null;
            if (_isCommitting) _open = new Commit();
            return _current;
        }
    }

    private ValueTask AppendAsync(Commit commit) =>
        commit.Records.Count > 0 ? journal.AppendAsync(commit.Records, CancellationToken.None) : ValueTask.CompletedTask;

    /// <summary>
    /// The one thing told before it is durable: to a worker, a lease on an execution that begins in this very commit. A
    /// frame of the journal is there whole or not at all, so after a crash either both are known or neither, and nobody
    /// asks for the report of a lease that never was. The client hears of its operation when it is durable.
    /// </summary>
    private void OfferNewWork(Commit commit)
    {
        if (commit.Effects.Count == 0 || !commit.Records.Exists(record => record is JournalRecord.ExecutionCreated)) return;

        var created = commit.Records.OfType<JournalRecord.ExecutionCreated>().Select(record => record.Execution).ToHashSet();
        for (int i = 0; i < commit.Effects.Count; i++)
        {
            if (commit.Effects[i] is not Effect.WorkerTold { Command: WorkerCommand.OfferLease offer } told
                || !created.Contains(offer.Lease.Id.Execution)) continue;
            audience.Tell(told);
            commit.Effects.RemoveAt(i--);
        }
    }

    /// <summary>
    /// What we decided may not be durable, and what is durable we cannot know: nobody is told anything any more. A
    /// restart recovers what is there.
    /// </summary>
    private void Fail(Commit commit, Exception exception)
    {
        var fault = new SchedulingException(
            OutcomeCode.Unavailable, $"the operation journal failed, the coordinator must be restarted: {exception.Message}");
        Commit open;
        lock (gate)
        {
            _fault = fault;
            _isCommitting = false;
            _current = null;
            (open, _open) = (_open, new Commit());
        }

        failed(fault);
        commit.Fail(fault);
        open.Fail(fault);
    }
}
