namespace RemoteExec.Scheduling.Tests;

/// <summary>What must hold of the rooms in which leases wait at workers, after every event of a <see cref="Simulation"/>.</summary>
internal sealed class WaitingRooms
{
    private HashSet<LeaseId> _leases = [];

    /// <summary>Who waited at a worker before the event, in the order in which they stood then.</summary>
    private List<(Execution Execution, LeaseId Lease, Worker Holder, bool IsPassed)> _before = [];

    /// <summary>Nothing waits that a worker with a free slot could run, unless it cannot be called back to it.</summary>
    public static void CheckSlots(BuildQueue queue, QueueSnapshot snapshot)
    {
        var ahead = queue.Executions
            .Where(execution => execution is { State: ExecutionState.Leased, IsAhead: true, IsRecalled: false, Holder.IgnoresRecalls: false })
            .Select(execution => execution.Queue.Platform).ToHashSet();
        foreach (var platform in snapshot.Platforms.Where(platform => platform.Queued > platform.WaitingOut || ahead.Contains(platform.Platform)))
        {
            // Waiting in another worker's room is waiting, too.
            foreach (var worker in snapshot.Workers.Where(worker => worker is { State: WorkerState.Ready, IsStuck: false }))
            {
                Simulation.Require(
                    worker.SlotsUsed + worker.SlotsKept >= worker.Description.Slots
                        || !PlatformMatching.Covers(PlatformMatching.Offered(worker.Description), platform.Platform),
                    $"{worker.Description.Id} has room, and {platform.Platform} waits");
            }
        }
    }

    /// <summary>Slots are kept for what was called back for them and for nothing else; who waits in a room is known there.</summary>
    public static void CheckBooks(BuildQueue queue, QueueSnapshot snapshot)
    {
        var executions = queue.Executions.ToArray();
        foreach (var worker in snapshot.Workers)
        {
            int expected = executions.Count(execution => execution.KeptAt is { State: not WorkerState.Gone } keeper && keeper.Id == worker.Description.Id);
            Simulation.Require(worker.SlotsKept == expected, $"{worker.Description.Id} keeps {worker.SlotsKept} slots for {expected}");
        }

        foreach (var held in executions.Where(execution => execution.Holder is not null).GroupBy(execution => execution.Holder!))
        {
            Simulation.Require(
                held.Key.Ahead.SetEquals(held.Where(execution => execution is { State: ExecutionState.Leased, IsAhead: true })),
                $"the room of {held.Key.Id} holds others than who waits there");
        }

        foreach (var worker in queue.Workers.Where(worker => worker.IgnoresRecalls))
        {
            Simulation.Require(
                worker.Held.ContainsKey(worker.Unanswered!.Value), // it ignores recalls
                $"{worker.Id} is not asked for anything because of {worker.Unanswered}, which it no longer holds");
        }

        foreach (var execution in executions)
        {
            bool isRecallable = execution is { State: ExecutionState.Leased, IsAhead: true, IsRecalled: false };
            Simulation.Require(execution.Queue.Ahead.Contains(execution) == isRecallable, $"{execution.LeaseId} can be called back, and its platform does not know it, or the reverse");
        }
    }

    /// <summary>
    /// Nothing was given out ahead of the first that waits elsewhere and has been passed by too often. The first before the event and
    /// after it: one event does many things in an order of its own.
    /// </summary>
    public void Check(BuildQueue queue)
    {
        var ahead = Ahead(queue);
        foreach (var (given, _, at, _) in ahead.Where(waiting => !_leases.Contains(waiting.Lease)))
        {
            var (execution, lease, _, wasPassed) = First(_before, at);
            if (execution is null || !wasPassed || execution == given || First(ahead, at) is not { IsPassed: true } first || first.Lease != lease) continue;
            Simulation.Require(
                PlatformQueue.ByTurn.Compare(execution, given) > 0, $"{given.LeaseId} was given to {at.Id} ahead of {lease}, which has been passed by too often");
        }

        Remember(queue);
    }

    /// <summary>Several things have happened since the last look.</summary>
    public void Remember(BuildQueue queue)
    {
        _before = Ahead(queue);
        _leases = [.. queue.Executions.Where(execution => execution.Holder is not null).Select(execution => execution.LeaseId)];
    }

    private static (Execution? Execution, LeaseId Lease, Worker Holder, bool IsPassed) First(
        IEnumerable<(Execution Execution, LeaseId Lease, Worker Holder, bool IsPassed)> waiting, Worker at) =>
        waiting.FirstOrDefault(other => other.Holder != at && PlatformMatching.Covers(at.Class!.Offer, other.Execution.Queue.Platform)); // it was given something

    private static List<(Execution Execution, LeaseId Lease, Worker Holder, bool IsPassed)> Ahead(BuildQueue queue) =>
    [
        .. queue.Executions
            .Where(execution => execution is { State: ExecutionState.Leased, IsAhead: true, Holder.IgnoresRecalls: false })
            .Order(PlatformQueue.ByTurn)
            .Select(execution => (execution, execution.LeaseId, execution.Holder!, execution is { IsPassed: true, IsRecalled: false })),
    ];
}
