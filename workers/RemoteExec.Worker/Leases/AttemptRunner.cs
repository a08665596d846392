using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Runs one lease to its report, or when cancelled to its end without one; then it may also throw <see cref="OperationCanceledException"/>.
/// <paramref name="started"/> is called when the command is about to run, with the time that it waited for its slot; it cancels and throws when that must not happen any more.
/// </summary>
internal delegate ValueTask<FinishedAttempt> AttemptRunner(Lease lease, Action<TimeSpan> started, CancellationToken cancellationToken);
