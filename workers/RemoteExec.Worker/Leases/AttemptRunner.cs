using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>Runs one lease to its report; throws only <see cref="OperationCanceledException"/>, and only when cancelled.</summary>
internal delegate ValueTask<FinishedAttempt> AttemptRunner(Lease lease, ILeaseReporter reporter, CancellationToken cancellationToken);
