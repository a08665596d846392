namespace RemoteExec.Scheduling;

/// <content>A restart: state from records. What <see cref="StateExport"/> forgets this must not need.</content>
internal sealed partial class BuildQueue
{
    /// <summary>
    /// Rebuilds what the records say. Holders of leases are expected back; nobody watches yet, so every client has the
    /// abandonment grace to re-attach. Every deadline begins anew: how long we were away only the wall clock could tell. Records
    /// about what is no longer known, or is known already, are skipped: a state written beside other records is followed by some that it
    /// includes.
    /// </summary>
    public void Recover(IEnumerable<JournalRecord> records, Instant now)
    {
        _startedAt = now.Monotonic;
        foreach (var record in records) Replay(record, now);

        // Over in the journal is over: the hook had its chance, and a result it did not store costs one cache miss.
        foreach (var execution in Executions.Where(execution => execution.State == ExecutionState.Completed).ToArray())
        {
            foreach (var operation in execution.Operations.Where(operation => !operation.IsDone))
                operation.End(execution.Outcome!, alone: false, now with { Wall = execution.CompletedAt!.Value }); // completed

            execution.IsPublished = true;
            _finishedBytes += execution.Outcome!.Response.Length;
            DropIfForgotten(execution);
        }

        foreach (var operation in _live.Where(operation => operation.IsDone).OrderBy(operation => operation.EndedAt).ToArray())
        {
            _live.Remove(operation.Node);
            _finished.AddLast(operation.Node);
        }

        ForgetOld(now);
        WatchRetention();
        foreach (var operation in _live)
        {
            Abandoned(operation, now);
            Regard(operation.Execution, now);
        }

        foreach (var execution in Executions.Where(execution => execution.State != ExecutionState.Completed && !execution.Request.DoNotCache))
            _joinable[new MergeKey(execution.Request.Instance, execution.Request.Action)] = execution;

        foreach (var operation in _operations.Values) Changed(operation);
        foreach (var worker in _workers.Values.ToArray())
        {
            if (options.WorkersThatCannotReturn.Contains(worker.Id))
                Lost(worker, "the coordinator was restarted, and its worker with it", Blame.Coordinator, now);
            else
                ExpectBack(worker, now);
        }
    }

    /// <summary>The records that rebuild the present state, piece by piece while it changes.</summary>
    public StateExport Export() => _export = new StateExport(_filing.All, _live, _finished);

    private StateExport? _export;

    private void Replay(JournalRecord record, Instant now)
    {
        switch (record)
        {
            case JournalRecord.ExecutionCreated created when !_executions.ContainsKey(created.Execution):
                Add(created.Execution, created.Request, now.Recorded(created.At), now);
                break;

            case JournalRecord.OperationCreated created
                when _executions.TryGetValue(created.Execution, out var execution) && !_operations.ContainsKey(created.Operation):
                Attach(created.Operation, execution, created.Request ?? execution.Request, created.Request is not null, created.At);
                Hurry(execution, created.Request?.Priority ?? execution.Priority, now);
                break;

            case JournalRecord.ExecutionLeased leased
                when _executions.TryGetValue(leased.Execution, out var execution)
                    && execution.Can(ExecutionEvent.Lease) && leased.Attempt > execution.Attempt:
                ReplayLease(execution, leased, now);
                break;

            case JournalRecord.ExecutionRequeued requeued
                when _executions.TryGetValue(requeued.Execution, out var execution)
                    && execution.Can(ExecutionEvent.Lose) && requeued.Attempt == execution.Attempt:
                ReleaseReplayed(execution, now);
                var lost = new LostAttempt(requeued.Attempt, requeued.Losses, execution.WorkerId, requeued.Reason, requeued.At);
                // Our absence was wait enough.
                using (_filing.TakeOut(execution)) execution.Requeue(lost, notBefore: null, now);
                break;

            case JournalRecord.ExecutionCompleted completed
                when _executions.TryGetValue(completed.Execution, out var execution) && execution.Can(ExecutionEvent.Cancel):
                ReleaseReplayed(execution, now);
                // Which ending it was does not matter any more; this is the one that is legal from every state.
                using (_filing.TakeOut(execution)) execution.Complete(ExecutionEvent.Cancel, completed.Outcome, completed.At);
                RemoveIfUnused(execution.Queue);
                break;

            case JournalRecord.OperationEnded ended
                when _operations.TryGetValue(ended.Operation, out var operation) && !operation.IsDone:
                operation.End(ended.Outcome, alone: true, now with { Wall = ended.At });
                break;

            case JournalRecord.OperationForgotten forgotten when _operations.TryGetValue(forgotten.Operation, out var operation):
                Remove(operation);
                break;
        }
    }

    private void ReplayLease(Execution execution, JournalRecord.ExecutionLeased leased, Instant now)
    {
        // Slots, properties and version are unknown until it is back.
        if (!_workers.TryGetValue(leased.WorkerId, out var worker))
            worker = Add(new WorkerDescription { Id = leased.WorkerId, Slots = 0 }, now);

        using (_filing.TakeOut(execution)) execution.Lease(worker, leased.Attempt, isAhead: false, now.Recorded(leased.At));
        // Whoever it was given to was told, or will come back without it.
        using (worker.StandUp()) worker.Confirm(execution.LeaseId);
    }

    private void ReleaseReplayed(Execution execution, Instant now)
    {
        if (execution.Holder is not { } worker) return;

        using (worker.StandUp()) worker.Release(execution.LeaseId, now);
        if (worker.Held.Count == 0) _workers.Remove(worker.Id);
    }
}
