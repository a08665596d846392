namespace RemoteExec.Scheduling;

/// <summary>REAPI ExecutionStage.Value under its numbers. CACHE_CHECK is over before the scheduler hears of an operation.</summary>
public enum OperationStage
{
    Queued = 2,
    Executing = 3,
    Completed = 4,
}
