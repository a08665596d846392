using Microsoft.Extensions.Logging;
using RemoteExec.Scheduling;
using RemoteExec.Services;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>
/// The log lines that an operator looks for: who came and went, what was refused, what a start found. What is ordinary (a hit, a failed
/// test) is in the metrics and on the page.
/// </summary>
public sealed partial class ServerEvents(ILogger log, TimeProvider time)
{
    // A full store refuses as often as clients try: a line for each would be all that the log has.
    private static readonly TimeSpan RefusalInterval = TimeSpan.FromMinutes(1);

    // A client that goes takes all that it waits for along: a line for each would say the same many times.
    private static readonly TimeSpan LossInterval = TimeSpan.FromMinutes(1);
    private const int LostClientsMax = 100;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _lostClients = [];
    private long? _refusedAt;
    private long _refused;

    /// <summary>What was there at the start.</summary>
    public void Recovered(QueueSnapshot queue, BlobStoreUsage storage) =>
        LogRecovered(queue.Queued, queue.Leased + queue.Running, queue.Workers.Count, storage.Blobs, storage.UsedBytes);

    public void WorkerMoved(WorkerMove move)
    {
        var worker = move.Worker;
        switch (move.From, move.To)
        {
            case (WorkerState.Quarantined, WorkerState.Ready):
                LogRecovery(worker.Id, worker.Pool);
                break;
            case (_, WorkerState.Ready) or (WorkerState.Quarantined, WorkerState.Quarantined):
                LogJoined(worker.Id, worker.Pool, worker.Slots, worker.Version);
                break;
            case (_, WorkerState.Quarantined):
                LogQuarantined(worker.Id, worker.Pool);
                break;
            case (_, WorkerState.Joining):
                LogCutOff(worker.Id, worker.Pool);
                break;
            case (_, WorkerState.Draining):
                LogDraining(worker.Id, worker.Pool);
                break;
            case (WorkerState.Draining, WorkerState.Gone):
                LogLeft(worker.Id, worker.Pool);
                break;
            case (_, WorkerState.Gone):
                LogLost(worker.Id, worker.Pool);
                break;
        }
    }

    /// <summary>An execution has ended. A command that ran is no news, however it ended.</summary>
    public void Ended(CompletedExecution execution)
    {
        var outcome = execution.Outcome;
        switch (outcome.Code)
        {
            case OutcomeCode.Ok or OutcomeCode.DeadlineExceeded:
                break;
            case OutcomeCode.Cancelled:
                LogCancelled(execution.Id, outcome.Message);
                break;
            case OutcomeCode.FailedPrecondition or OutcomeCode.InvalidArgument:
                LogRefused(execution.Id, outcome.Message);
                break;
            default:
                LogFailed(execution.Id, execution.Attempt, execution.WorkerId ?? "", outcome.Code, outcome.Message);
                break;
        }
    }

    /// <summary>The last connection of a client to something that goes on was lost. One line for each invocation, however much it waits for.</summary>
    public void ClientLost(OperationSnapshot operation, TimeSpan grace)
    {
        var origin = operation.Request.Origin;
        if (origin.ToolInvocationId.Length > 0 && !IsNewlyLost(origin.ToolInvocationId)) return;

        string client = $"{origin.ToolName} {origin.ToolInvocationId}".Trim();
        LogClientLost(client.Length > 0 ? client : "a client", operation.Execution, grace.TotalSeconds);
    }

    private bool IsNewlyLost(string invocation)
    {
        lock (_gate)
        {
            foreach (var (name, since) in _lostClients)
            {
                if (time.GetElapsedTime(since) >= LossInterval) _lostClients.Remove(name);
            }

            if (_lostClients.Count == LostClientsMax) _lostClients.Clear();
            return _lostClients.TryAdd(invocation, time.GetTimestamp());
        }
    }

    /// <summary>Lost inputs were made again, or it went wrong. What was not tried is told to the client alone.</summary>
    public void Rederived(RederivedInputs inputs)
    {
        switch (inputs.Outcome)
        {
            case RederivationOutcome.Restored:
                LogRestored(inputs.Action, inputs.Runs);
                break;
            case RederivationOutcome.Nondeterministic or RederivationOutcome.Failed:
                LogNotRestored(inputs.Action, inputs.Reason);
                break;
        }
    }

    /// <summary>An upload found no room. Told at once the first time, and then once a minute with how many there were.</summary>
    public void StoreRefused()
    {
        long count;
        lock (_gate)
        {
            _refused++;
            if (_refusedAt is { } last && time.GetElapsedTime(last) < RefusalInterval) return;

            _refusedAt = time.GetTimestamp();
            (count, _refused) = (_refused, 0);
        }

        LogStoreRefusing(count);
    }

    [LoggerMessage(Level = LogLevel.Information, EventName = "recovered", Message = "found {Queued} queued and {Leased} leased executions, {Workers} workers that are expected back, {Blobs} blobs of {Bytes} bytes")]
    private partial void LogRecovered(int queued, int leased, int workers, long blobs, long bytes);

    [LoggerMessage(Level = LogLevel.Information, EventName = "worker_joined", Message = "worker {Worker} joined pool {Pool} with {Slots} slots, version {Version}")]
    private partial void LogJoined(string worker, string pool, int slots, string version);

    [LoggerMessage(Level = LogLevel.Information, EventName = "worker_draining", Message = "worker {Worker} of pool {Pool} takes no new work: it wants to leave")]
    private partial void LogDraining(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Information, EventName = "worker_left", Message = "worker {Worker} of pool {Pool} left in good order")]
    private partial void LogLeft(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "worker_cut_off", Message = "the connection of worker {Worker} of pool {Pool} broke while it held work; it is expected back")]
    private partial void LogCutOff(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "worker_lost", Message = "worker {Worker} of pool {Pool} is lost: its connection ended or it fell silent. What it held is queued again")]
    private partial void LogLost(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "worker_quarantined", Message = "worker {Worker} of pool {Pool} gets no work for a while: several different actions failed on it through its own fault; its log says how")]
    private partial void LogQuarantined(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Information, EventName = "worker_recovered", Message = "worker {Worker} of pool {Pool} ran a command again and is out of quarantine")]
    private partial void LogRecovery(string worker, string pool);

    [LoggerMessage(Level = LogLevel.Information, EventName = "inputs_restored", Message = "inputs of action {Action} were lost and made again, by running {Runs} actions")]
    private partial void LogRestored(Core.Digest action, int runs);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "inputs_not_restored", Message = "inputs of action {Action} were lost, and could not be made again: {Reason}. Its client is told what is missing")]
    private partial void LogNotRestored(Core.Digest action, string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "action_refused", Message = "execution {Execution} was refused: {Reason}")]
    private partial void LogRefused(ExecutionId execution, string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "action_cancelled", Message = "execution {Execution} was cancelled: {Reason}")]
    private partial void LogCancelled(ExecutionId execution, string reason);

    [LoggerMessage(Level = LogLevel.Information, EventName = "client_lost", Message = "the connection to {Client} was lost before execution {Execution} was over; what it waits for goes on for {Seconds} s, for it to come back")]
    private partial void LogClientLost(string client, ExecutionId execution, double seconds);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "action_failed", Message = "execution {Execution} failed for good in attempt {Attempt} on worker '{Worker}': {Code} {Reason}")]
    private partial void LogFailed(ExecutionId execution, int attempt, string worker, OutcomeCode code, string reason);

    [LoggerMessage(Level = LogLevel.Warning, EventName = "store_refusing", Message = "{Count} uploads found no room since the last such line: all that the store may hold is promised to clients. Raise --max-cas-size or lower --retention")]
    private partial void LogStoreRefusing(long count);
}
