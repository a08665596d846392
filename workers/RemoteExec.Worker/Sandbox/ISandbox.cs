namespace RemoteExec.Worker.Sandbox;

/// <summary>Runs one action behind whatever walls the implementation can build, and says how it ended.</summary>
public interface ISandbox
{
    /// <summary>
    /// The host identity that an action's files belong to. The worker gives it the directories of the input root
    /// that an action may write into; null means the worker's own identity, so nothing has to change hands.
    /// The linked input files must belong to somebody else, or the action could chmod and change them.
    /// </summary>
    SandboxIdentity? FileOwner { get; }

    /// <summary>
    /// Runs the spec to its end. Cancelling kills the whole tree; the call then still completes with the report
    /// (<see cref="SandboxOutcome.Killed"/>) once nothing of the tree is left. Nothing an action does makes this throw:
    /// failures of the machinery itself are <see cref="SandboxOutcome.SetupFailed"/> and
    /// <see cref="SandboxOutcome.LauncherLost"/>.
    /// </summary>
    ValueTask<SandboxReport> RunAsync(SandboxSpec spec, ISandboxOutput output, CancellationToken cancellationToken);
}
