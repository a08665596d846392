using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Runs one action: bring, run, take. Each stage is timed into the result's metadata; whatever fails, of whatever type, becomes a
/// status and a word about whose fault it is (<see cref="BlameTable"/>).
/// </summary>
internal sealed partial class ActionRunner(
    string worker, WorkDirectories directories, InputStage inputs, CommandStage command, OutputStage outputs, TimeProvider time, ILogger log)
{
    /// <summary>
    /// Answers the report, and what is to be cleaned up. Cancellation kills the command; then there is no report, since nobody wants it.
    /// </summary>
    /// <param name="started">Called when the command is about to run, with the time that it waited for its slot.</param>
    public async ValueTask<FinishedAttempt> RunAsync(Lease lease, Action<TimeSpan> started, CancellationToken cancellationToken)
    {
        var attempt = new Attempt(lease, worker, time);
        try
        {
            await RunAsync(attempt, started, cancellationToken);
        }
        catch (Exception failure)
        {
            // Not cleaned up here: that may wait for other removals, and what is dead must be told at once.
            if (cancellationToken.IsCancellationRequested) return new FinishedAttempt(Report: null, attempt.Directory);
            Fail(attempt, failure);
        }

        return new FinishedAttempt(attempt.Report, attempt.Directory);
    }

    /// <summary>The stages, in order.</summary>
    private async ValueTask RunAsync(Attempt attempt, Action<TimeSpan> started, CancellationToken cancellationToken)
    {
        attempt.Directory = await directories.TakeAsync(cancellationToken);

        attempt.Enter(Stage.Bring);
        var action = await inputs.BringAsync(attempt, cancellationToken);

        attempt.Enter(Stage.Run);
        using var run = await command.RunAsync(attempt, action, started, cancellationToken);

        attempt.Enter(Stage.Take);
        await inputs.CheckAsync(attempt, action, cancellationToken);
        await outputs.TakeAsync(attempt, action, run, cancellationToken);
    }

    private void Fail(Attempt attempt, Exception exception)
    {
        var failure = Failure.Of(attempt.Stage, exception, worker);
        attempt.Fail(failure);
        var (execution, number) = (attempt.Lease.Lease_.ExecutionId, attempt.Lease.Lease_.Attempt);
        LogFailed(execution, number, attempt.Stage, failure.Blame, (StatusCode)failure.Status.Code, failure.Status.Message);
        if (Failure.KindOf(exception) == FailureKind.Unknown) LogUnknown(exception, execution, number);
    }

    [LoggerMessage(EventId = 20, EventName = "attempt_failed", Level = LogLevel.Information, Message = "attempt {Attempt} of {ExecutionId} failed at {Stage}, to blame: {Blame}: {Code} {Reason}")]
    private partial void LogFailed(string executionId, int attempt, Stage stage, Blame blame, StatusCode code, string reason);

    [LoggerMessage(EventId = 22, EventName = "attempt_failed_unexpectedly", Level = LogLevel.Error, Message = "attempt {Attempt} of {ExecutionId} failed in a way that nobody thought of")]
    private partial void LogUnknown(Exception exception, string executionId, int attempt);
}
