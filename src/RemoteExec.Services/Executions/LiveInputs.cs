using System.Diagnostics;
using RemoteExec.Core;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// Keeps what live work needs (DESIGN D4): all inputs of an action that waits or runs for long are promised again, before half of the time is over for which the
/// store promised them last. What the store cannot promise any more it does not; nothing is refused for it.
/// </summary>
/// <remarks>
/// One action at a time, and seldom: to hold the inputs of all that may wait would take gigabytes, and to promise them again is to read their trees, of ten thousand
/// actions one each second. An input that is gone is left to the worker that will lack it, whose report says so to those who can bring it, or make it.
/// </remarks>
internal sealed class LiveInputs : IAsyncDisposable
{
    // An action's turn comes in the second quarter of the time: once in a sixteenth is looked who is that old, and within an eighth of it all those have had their turn.
    private const int DuePart = 4;
    private const int RoundPart = 16;
    private const int TurnsPart = 8;

    // A store that keeps blobs for days is not asked more often for having little to do.
    private static readonly TimeSpan PauseMax = TimeSpan.FromSeconds(1);

    private readonly Scheduler _scheduler;
    private readonly ActionDoor _door;
    private readonly TimeSpan _retention;
    private readonly TimeSpan _memory;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _running;
    private Dictionary<ExecutionId, TimeSpan> _promised = []; // since the loop began, or before

    public LiveInputs(Scheduler scheduler, ActionDoor door, ServicesOptions options, TimeProvider time)
    {
        (_scheduler, _door, _retention, _memory, _time) = (scheduler, door, options.Retention, options.CompleteTreeMemory, time);
        _running = _retention > TimeSpan.Zero ? Task.Run(RunAsync) : Task.CompletedTask;
    }

    /// <summary>So long after one round the next begins.</summary>
    public static TimeSpan RoundOf(TimeSpan retention) => retention / RoundPart;

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        _ending.Dispose();
    }

    private async Task RunAsync()
    {
        long start = _time.GetTimestamp();
        // Who is there before the first round was admitted by an earlier process, nobody knows when.
        var before = -_retention;
        while (!_ending.IsCancellationRequested)
        {
            var now = _time.GetElapsedTime(start);
            var since = before;
            await ServingLoop.ServeAsync(
                () => RoundAsync(start, now, since), failure => Trace.TraceWarning($"inputs of live work were not promised again: {failure.Message}"));
            before = now;
            await WaitAsync(RoundOf(_retention));
        }
    }

    /// <param name="before">When the last round began: who is new since then was admitted later.</param>
    private async ValueTask RoundAsync(long start, TimeSpan now, TimeSpan before)
    {
        var live = _scheduler.ListLive(int.MaxValue).DistinctBy(operation => operation.Execution).ToList();
        // A tree that was remembered as whole was promised when it was looked at.
        _promised = live.ToDictionary(operation => operation.Execution, operation => _promised.GetValueOrDefault(operation.Execution, before - _memory));
        var due = live.Where(operation => now - _promised[operation.Execution] >= _retention / DuePart)
            .OrderBy(operation => _promised[operation.Execution]).ToList();
        var pause = due.Count == 0 ? PauseMax : new[] { _retention / TurnsPart / due.Count, PauseMax }.Min();
        for (int i = 0; i < due.Count && !_ending.IsCancellationRequested; i++)
        {
            if (i > 0) await WaitAsync(pause);
            var operation = due[i];
            if (_scheduler.FindLive(operation.Execution) is null) continue;

            var at = _time.GetElapsedTime(start);
            bool isDone = await ServingLoop.ServeAsync(
                () => PromiseAsync(operation.Request.Action),
                failure => Trace.TraceWarning($"inputs of {operation.Execution} were not promised again: {failure.Message}"));
            if (isDone) _promised[operation.Execution] = at;
        }
    }

    private async ValueTask PromiseAsync(Digest action)
    {
        try
        {
            // To look for all of it is to promise what is there.
            await _door.AdmitAsync(action, trustsMemory: false, _ending.Token);
        }
        catch (MissingInputsException)
        {
            // Its worker will say so, and by then it may be there again.
        }
        catch (OperationCanceledException) when (_ending.IsCancellationRequested)
        {
            // The next process promises them in its first round.
        }
    }

    private async ValueTask WaitAsync(TimeSpan pause) =>
        await Task.Delay(pause, _time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
