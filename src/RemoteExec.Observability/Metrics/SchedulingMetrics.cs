using Prometheus;
using RemoteExec.Scheduling;

namespace RemoteExec.Observability;

/// <summary>What the scheduler did.</summary>
internal sealed class SchedulingMetrics : ISchedulingObserver
{
    // Seconds: a no-op takes milliseconds, a link step minutes.
    private static readonly double[] Seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800];

    private readonly HeldChildren<(string Pool, string Result), Counter.Child> _operations;
    private readonly HeldChildren<(string Pool, string Stage), Histogram.Child> _stages;
    private readonly HeldChildren<string, Histogram.Child> _wait;
    private readonly HeldChildren<string, Counter.Child> _connections;
    private readonly HeldChildren<string, Counter.Child> _disconnections;
    private readonly Counter _retries;
    private readonly Counter _merged;
    private readonly Counter _unsatisfiable;
    private readonly Counter _staleReports;
    private readonly Counter _completionFailures;

    public SchedulingMetrics(Instruments instruments)
    {
        var operations = instruments.Counter("remoteexec_operations_total", "Executions that ended, by result.", "pool", "result");
        var stages = instruments.Histogram("remoteexec_operation_stage_seconds", "Time in each stage of an execution.", Seconds, "pool", "stage");
        var wait = instruments.Histogram("remoteexec_queue_wait_seconds", "Time in line, from the request to the last lease and for a slot of its worker.", Seconds, "pool");
        var connections = instruments.Counter("remoteexec_worker_connections_total", "Times that a worker said hello.", "pool");
        var disconnections = instruments.Counter("remoteexec_worker_disconnections_total", "Connections of workers that ended, for whatever reason.", "pool");
        _operations = new(series => operations.WithLabels(series.Pool, series.Result));
        _stages = new(series => stages.WithLabels(series.Pool, series.Stage));
        _wait = new(pool => wait.WithLabels(pool));
        _connections = new(pool => connections.WithLabels(pool));
        _disconnections = new(pool => disconnections.WithLabels(pool));
        _retries = instruments.Counter("remoteexec_operation_retries_total", "Attempts that came to nothing and were queued again.");
        _merged = instruments.Counter("remoteexec_operation_in_flight_merged_total", "Requests that joined an execution in flight.");
        _unsatisfiable = instruments.Counter("remoteexec_queue_unsatisfiable_total", "Executions refused because no worker offers what they ask.");
        _staleReports = instruments.Counter("remoteexec_worker_stale_reports_total", "Reports about attempts that had been taken back.");
        _completionFailures = instruments.Counter("remoteexec_completion_failures_total", "Results that could not be handed to the action cache.");
    }

    /// <summary>Executions that ended, however.</summary>
    public long Ended => (long)_operations.All.Sum(series => series.Value);

    public void Merged() => _merged.Inc();

    public void Requeued() => _retries.Inc();

    public void CompletionFailed() => _completionFailures.Inc();

    public void WorkerConnected(string pool) => _connections[pool].Inc();

    public void WorkerDisconnected(string pool) => _disconnections[pool].Inc();

    public void StaleReport() => _staleReports.Inc();

    void ISchedulingObserver.Ended(CompletedExecution execution)
    {
        string pool = execution.Pool;
        _operations[(pool, Result(execution.Outcome))].Inc();
        // What the scheduler refuses itself has neither worker nor response.
        if (execution.Outcome is { Code: OutcomeCode.FailedPrecondition, Response.IsEmpty: true } && execution.Attempt == 0)
            _unsatisfiable.Inc();

        if (execution.Waited is { } waited)
        {
            _wait[pool].Observe(waited.TotalSeconds);
            _stages[(pool, "queue")].Observe(waited.TotalSeconds);
        }

        if (execution.Assigned is { } assigned) _stages[(pool, "assign")].Observe(assigned.TotalSeconds);

        foreach (var stage in execution.Outcome.Stages)
            _stages[(pool, stage.Stage)].Observe(stage.Duration.TotalSeconds);
    }

    private static string Result(ExecutionOutcome outcome) => outcome.Code switch
    {
        OutcomeCode.Ok when outcome.ExitCode is null or 0 => "ok",
        OutcomeCode.Ok => "nonzero",
        OutcomeCode.DeadlineExceeded => "timeout",
        OutcomeCode.Cancelled => "cancelled",
        OutcomeCode.FailedPrecondition or OutcomeCode.InvalidArgument => "refused",
        _ => "infra_error",
    };
}
