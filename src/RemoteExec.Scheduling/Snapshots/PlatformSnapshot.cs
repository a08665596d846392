using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>The executions that ask for one set of properties.</summary>
/// <param name="Pool">The pool asked for; empty when any will do.</param>
/// <param name="OldestAge">How long ago the oldest of those was asked for that are queued or wait at a worker for a slot; null when none does.</param>
/// <param name="IsSatisfiable">Some worker that is not leaving offers what is asked.</param>
public sealed record PlatformSnapshot(
    string Pool, Platform Platform, int Queued, int Leased, int Running, TimeSpan? OldestAge, bool IsSatisfiable)
{
    /// <summary>Of those that are queued, how many wait out a lost attempt before they may be given out.</summary>
    public int WaitingOut { get; init; }

    /// <summary>Of those that are leased, how many wait at a worker for one of its slots and may be called back.</summary>
    public int Ahead { get; init; }
}
