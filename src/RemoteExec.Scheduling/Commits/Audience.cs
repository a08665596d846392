using System.Collections.Concurrent;
using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// Everyone who is told: clients by the cells that their feeds read, workers by their sessions. Only what is durable is here: who asks
/// for an operation sees nothing that a crash could take back.
/// </summary>
internal sealed class Audience(ISchedulingObserver observer)
{
    private readonly ConcurrentDictionary<string, OperationCell> _operations = new();
    private readonly ConcurrentDictionary<long, WorkerSession> _sessions = new();
    private SchedulingException? _end;

    public IEnumerable<OperationSnapshot> Operations => _operations.Select(entry => entry.Value.Current);

    public OperationCell? Find(string operation) => _operations.GetValueOrDefault(operation);

    public void Add(WorkerSession session)
    {
        _sessions[session.Number] = session;
        observer.WorkerConnected(session.Pool);
    }

    public void Remove(WorkerSession session)
    {
        if (_sessions.TryRemove(session.Number, out _)) observer.WorkerDisconnected(session.Pool);
    }

    /// <summary>One thing to one of them. What goes wrong in the telling is the end of that one's connection, and nobody else's.</summary>
    public void Tell(Effect effect) => ServingLoop.Serve(
        (Audience: this, Effect: effect),
        static telling => telling.Audience.Deliver(telling.Effect),
        static (telling, failure) => telling.Audience.Drop(telling.Effect, failure));

    /// <summary>Ends all feeds that have not seen their end, also those to come.</summary>
    public void EndFeeds(SchedulingException end)
    {
        // A full fence, before the look at who is there: see Show.
        Interlocked.CompareExchange(ref _end, end, null);
        foreach (var (_, cell) in _operations) cell.Close(end);
    }

    public void EndSessions(string reason)
    {
        foreach (var (_, session) in _sessions) session.Tell(new WorkerCommand.End(reason));
    }

    private void Deliver(Effect effect)
    {
        switch (effect)
        {
            case Effect.OperationChanged { Operation: var operation }:
                if (_operations.TryGetValue(operation.Name, out var cell)) cell.Publish(operation);
                else Show(operation);
                break;

            case Effect.OperationForgotten { Operation: var name }:
                if (_operations.TryRemove(name, out var forgotten))
                    forgotten.Close(new SchedulingException(OutcomeCode.NotFound, $"{name} was forgotten"));
                break;

            case Effect.WorkerTold { Session: var number, Command: var command, Offered: var holding }:
                if (_sessions.TryGetValue(number, out var session)) session.Tell(command, holding);
                break;

            case Effect.AttemptLost:
                observer.Requeued();
                break;

            case Effect.ExecutionEnded { Execution: var execution }:
                observer.Ended(execution);
                break;
        }
    }

    private void Show(OperationSnapshot operation)
    {
        var cell = new OperationCell(operation);
        _operations[operation.Name] = cell;
        // All feeds may have been ended just before this one was there.
        if (Interlocked.CompareExchange(ref _end, null, null) is { } end) cell.Close(end);
    }

    private void Drop(Effect effect, Exception failure)
    {
        Trace.TraceError(failure.ToString());
        switch (effect)
        {
            // Whoever watches attaches again; a worker comes back and is reconciled.
            case Effect.OperationChanged { Operation: var operation }:
                Find(operation.Name)?.Close(new SchedulingException(OutcomeCode.Unavailable, $"{operation.Name} could not be told of", TimeSpan.FromSeconds(1)));
                break;
            case Effect.WorkerTold { Session: var number }:
                if (_sessions.TryGetValue(number, out var session)) session.Tell(new WorkerCommand.End("something could not be told"));
                break;
        }
    }
}
