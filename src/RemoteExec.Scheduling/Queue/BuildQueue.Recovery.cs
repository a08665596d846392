namespace RemoteExec.Scheduling;

/// <content>A restart: state from records, records from state. What one forgets the other must not need.</content>
internal sealed partial class BuildQueue
{
    /// <summary>
    /// Rebuilds what the records say. Holders of leases are expected back; nobody watches yet, so every client has the
    /// abandonment grace to re-attach. Records about what is no longer known are skipped: their story is over.
    /// </summary>
    public void Recover(IEnumerable<JournalRecord> records, DateTimeOffset now)
    {
        foreach (var record in records) Replay(record, now);

        // Over in the journal is over: the hook had its chance, and a result it did not store costs one cache miss.
        foreach (var execution in _executions.Values.Where(execution => execution.State == ExecutionState.Completed).ToArray())
        {
            var endedAt = execution.CompletedAt!.Value;
            foreach (var operation in execution.Operations.Where(operation => !operation.IsDone))
                operation.End(execution.Outcome!, alone: false, endedAt);

            execution.IsPublished = true;
            _finishedBytes += execution.Outcome!.Response.Length;
            DropIfForgotten(execution);
        }

        foreach (var operation in _operations.Values.Where(operation => operation.IsDone).OrderBy(operation => operation.EndedAt))
            _finished.AddLast(operation);
        ForgetOld(now);
        WatchRetention();

        foreach (var operation in _operations.Values.Where(operation => !operation.IsDone))
        {
            operation.UnwatchedSince = now;
            At(now + options.AbandonedGrace, new Due.OperationAbandoned(operation));
        }

        foreach (var execution in _executions.Values.Where(execution => execution.State != ExecutionState.Completed))
        {
            if (!execution.Request.DoNotCache)
                _joinable[new MergeKey(execution.Request.Instance, execution.Request.Action)] = execution;
        }

        foreach (var operation in _operations.Values) Changed(operation);

        foreach (var worker in _workers.Values.ToArray())
        {
            if (options.WorkersThatCannotReturn.Contains(worker.Id))
                Lost(worker, "the coordinator was restarted, and its worker with it", now);
            else
                ExpectBack(worker, now);
        }
    }

    /// <summary>The records that rebuild the present state, for a compaction.</summary>
    public IReadOnlyList<JournalRecord> Export()
    {
        var records = new List<JournalRecord>();
        foreach (var execution in _executions.Values.OrderBy(execution => execution.Sequence))
        {
            records.Add(new JournalRecord.ExecutionCreated(execution.Id, execution.Request, execution.QueuedAt));
            foreach (var operation in execution.Operations)
            {
                records.Add(new JournalRecord.OperationCreated(
                    operation.Name, execution.Id, operation.IsMerged ? operation.Request : null, operation.CreatedAt));
            }

            ExportAttempts(execution, records);

            if (execution.Outcome is not null)
                records.Add(new JournalRecord.ExecutionCompleted(execution.Id, execution.Outcome, execution.CompletedAt!.Value));
            foreach (var operation in execution.Operations.Where(operation => operation.EndedAlone))
                records.Add(new JournalRecord.OperationEnded(operation.Name, operation.Outcome!, operation.EndedAt!.Value));
        }

        return records;
    }

    private static void ExportAttempts(Execution execution, List<JournalRecord> records)
    {
        var present = execution.Lost.Count > 0 ? execution.Lost[^1] : null;
        foreach (var lost in execution.Lost)
        {
            records.Add(new JournalRecord.ExecutionLeased(execution.Id, lost.Attempt, lost.WorkerId!, lost.At));
            // The loss that ended it is told by the outcome.
            if (lost != present || execution.State != ExecutionState.Completed || lost.Attempt != execution.Attempt)
                records.Add(new JournalRecord.ExecutionRequeued(execution.Id, lost.Attempt, lost.Losses, lost.Reason, lost.At));
        }

        if (execution.Attempt > (present?.Attempt ?? 0))
        {
            records.Add(new JournalRecord.ExecutionLeased(
                execution.Id, execution.Attempt, execution.WorkerId!, execution.LeasedAt ?? execution.QueuedAt));
        }
    }

    private void Replay(JournalRecord record, DateTimeOffset now)
    {
        switch (record)
        {
            case JournalRecord.ExecutionCreated created when !_executions.ContainsKey(created.Execution):
                Add(created.Execution, created.Request, created.At, now);
                break;

            case JournalRecord.OperationCreated created
                when _executions.TryGetValue(created.Execution, out var execution) && !_operations.ContainsKey(created.Operation):
                Attach(created.Operation, execution, created.Request ?? execution.Request, created.Request is not null, created.At);
                if (created.Request?.Priority < execution.Priority && execution.State != ExecutionState.Completed)
                {
                    Leave(execution);
                    execution.Priority = created.Request.Priority;
                    Enter(execution, now);
                }

                break;

            case JournalRecord.ExecutionLeased leased
                when _executions.TryGetValue(leased.Execution, out var execution)
                    && execution.Can(ExecutionEvent.Lease) && leased.Attempt > execution.Attempt:
                ReplayLease(execution, leased, now);
                break;

            case JournalRecord.ExecutionRequeued requeued
                when _executions.TryGetValue(requeued.Execution, out var execution)
                    && execution.Can(ExecutionEvent.Lose) && requeued.Attempt == execution.Attempt:
                ReleaseReplayed(execution);
                Leave(execution);
                execution.Requeue(new LostAttempt(
                    requeued.Attempt, requeued.Losses, execution.WorkerId, requeued.Reason, requeued.At));
                Enter(execution, now);
                break;

            case JournalRecord.ExecutionCompleted completed
                when _executions.TryGetValue(completed.Execution, out var execution) && execution.Can(ExecutionEvent.Cancel):
                ReleaseReplayed(execution);
                Leave(execution);
                // Which ending it was does not matter any more; this is the one that is legal from every state.
                execution.Complete(ExecutionEvent.Cancel, completed.Outcome, completed.At);
                Enter(execution, now);
                break;

            case JournalRecord.OperationEnded ended
                when _operations.TryGetValue(ended.Operation, out var operation) && !operation.IsDone:
                operation.End(ended.Outcome, alone: true, ended.At);
                break;

            case JournalRecord.OperationForgotten forgotten when _operations.TryGetValue(forgotten.Operation, out var operation):
                _operations.Remove(operation.Name);
                operation.Execution.Operations.Remove(operation);
                break;
        }
    }

    private void ReplayLease(Execution execution, JournalRecord.ExecutionLeased leased, DateTimeOffset now)
    {
        if (!_workers.TryGetValue(leased.WorkerId, out var worker))
        {
            // Slots, properties and version are unknown until it is back.
            worker = new Worker(new WorkerDescription { Id = leased.WorkerId, Slots = 0 }, @class: null, _sequence++, now);
            _workers.Add(worker.Id, worker);
        }

        Leave(execution);
        execution.Lease(worker, leased.Attempt, leased.At);
        Enter(execution, now);
        worker.Held.Add(execution.LeaseId, null);
    }

    private void ReleaseReplayed(Execution execution)
    {
        if (execution.Holder is not { } worker) return;

        worker.Held.Remove(execution.LeaseId);
        if (worker.Held.Count == 0) _workers.Remove(worker.Id);
    }
}
