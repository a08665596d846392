namespace RemoteExec.Scheduling;

/// <summary>
/// Somebody is about to make the inputs that an execution lacks. Until <see cref="Scheduler.Release"/> or <see cref="Scheduler.Refuse"/> it
/// is queued, and nobody is given it; at the latest <see cref="SchedulerOptions.HoldMax"/> ends it. Not journalled: after a restart it is given out, lacks them again, and whoever reads that report
/// decides anew.
/// </summary>
/// <param name="begun">Told under the scheduler's lock, once for each execution that waits from now on: be quick, never wait.</param>
public sealed class InputHold(Action<ExecutionId> begun)
{
    internal void Begin(ExecutionId execution) => begun(execution);
}
