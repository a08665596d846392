using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// What the coordinator hears of a lease before its report. None of it matters to the result, so a lost connection is no
/// failure here.
/// </summary>
internal interface ILeaseReporter
{
    /// <summary>Inputs are in place and the command is about to start.</summary>
    ValueTask StartedAsync(CancellationToken cancellationToken);

    /// <summary>A piece of what the command has written.</summary>
    ValueTask OutputAsync(LeaseOutput output, CancellationToken cancellationToken);
}
