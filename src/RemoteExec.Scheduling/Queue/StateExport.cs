namespace RemoteExec.Scheduling;

/// <summary>
/// The records that rebuild the state of a queue, taken piece by piece while the queue goes on, so that nobody waits for the whole.
/// Each piece is true at its own moment; what is decided after the first stands in the journal behind them, and
/// <see cref="BuildQueue.Recover"/> shrugs at what it knows already.
/// </summary>
/// <remarks>
/// Executions first, then the operations on them: an operation means nothing before its execution. Who ends meanwhile moves from the
/// living to the ended, so the ended come last.
/// </remarks>
internal sealed class StateExport(LinkedList<Execution> executions, LinkedList<Operation> live, LinkedList<Operation> finished)
{
    private LinkedListNode<Execution>? _execution = executions.First;
    private LinkedListNode<Operation>? _operation = live.First;
    private bool _isAtFinished;

    /// <summary>Adds about as many records as asked for; none when nothing is left.</summary>
    public void Take(int about, List<JournalRecord> records)
    {
        while (records.Count < about)
        {
            if (_execution is { Value: var execution })
            {
                _execution = _execution.Next;
                Add(execution, records);
            }
            else if (_operation is { Value: var operation })
            {
                _operation = _operation.Next;
                Add(operation, records);
            }
            else if (_isAtFinished)
            {
                return;
            }
            else
            {
                _isAtFinished = true;
                _operation = finished.First;
            }
        }
    }

    /// <summary>It is about to be taken out of its list.</summary>
    public void Leaves(Execution execution)
    {
        if (_execution == execution.Node) _execution = _execution.Next;
    }

    /// <inheritdoc cref="Leaves(Execution)"/>
    public void Leaves(Operation operation)
    {
        if (_operation == operation.Node) _operation = _operation.Next;
    }

    private static void Add(Execution execution, List<JournalRecord> records)
    {
        records.Add(new JournalRecord.ExecutionCreated(execution.Id, execution.Request, execution.Queued.Wall));
        AddAttempts(execution, records);
        if (execution.Outcome is not null)
            records.Add(new JournalRecord.ExecutionCompleted(execution.Id, execution.Outcome, execution.CompletedAt!.Value)); // completed
    }

    private static void AddAttempts(Execution execution, List<JournalRecord> records)
    {
        var last = execution.Lost.Count > 0 ? execution.Lost[^1] : null;
        foreach (var lost in execution.Lost)
        {
            records.Add(new JournalRecord.ExecutionLeased(execution.Id, lost.Attempt, lost.WorkerId!, lost.At));
            // The loss that ended it is told by the outcome.
            if (lost != last || execution.State != ExecutionState.Completed || lost.Attempt != execution.Attempt)
                records.Add(new JournalRecord.ExecutionRequeued(execution.Id, lost.Attempt, lost.Losses, lost.Reason, lost.At));
        }

        if (execution.Attempt > (last?.Attempt ?? 0))
        {
            records.Add(new JournalRecord.ExecutionLeased(
                execution.Id, execution.Attempt, execution.WorkerId!, execution.Leased?.Wall ?? execution.Queued.Wall));
        }
    }

    private static void Add(Operation operation, List<JournalRecord> records)
    {
        records.Add(new JournalRecord.OperationCreated(
            operation.Name, operation.Execution.Id, operation.IsMerged ? operation.Request : null, operation.CreatedAt));
        if (operation.EndedAlone)
            records.Add(new JournalRecord.OperationEnded(operation.Name, operation.Outcome!, operation.EndedAt!.Value)); // ended
    }
}
