namespace RemoteExec.Scheduling;

/// <content>What workers say on their streams.</content>
public sealed partial class Scheduler
{
    internal void Started(WorkerSession session, LeaseId lease) =>
        Hear(session, (queue, worker, number) => queue.Started(worker, number, lease, Now));

    // While the journal waits for room our offers wait too: a worker that does not name them has not lost them.
    internal void Heartbeat(WorkerSession session, IReadOnlyList<LeaseId> held) =>
        Hear(session, (queue, worker, number) => queue.Heartbeat(worker, number, _stall is null ? held : null, Now));

    internal void Stopped(WorkerSession session, LeaseId lease) =>
        Hear(session, (queue, worker, number) => queue.Stopped(worker, number, lease, Now));

    internal void HandBack(WorkerSession session, LeaseId lease) =>
        Hear(session, (queue, worker, number) => queue.HandBack(worker, number, lease, Now));

    internal void Drain(WorkerSession session) =>
        Hear(session, (queue, worker, number) => queue.Drain(worker, number, Now));

    /// <summary>What a worker says on its stream. Nobody waits for what comes of it: the next word must be heard at once.</summary>
    private void Hear(WorkerSession session, Action<BuildQueue, string, long> word)
    {
        lock (_gate)
        {
            if (_phase == Phase.Stopped) return;
            word(_queue, session.WorkerId, session.Number);
            _ = Enqueue();
        }
    }

    internal void Disconnect(WorkerSession session)
    {
        if (_sessions.TryRemove(session.Number, out _)) _observer.WorkerDisconnected(session.Pool);
        lock (_gate)
        {
            // When we are the ones who leave, nothing is lost: the journal keeps the leases for when workers rejoin.
            if (_phase == Phase.Stopped) return;
            _queue.Disconnected(session.WorkerId, session.Number, Now);
            _ = Enqueue();
        }
    }
}
