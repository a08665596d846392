using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>The executions that ask for one set of properties.</summary>
/// <param name="Pool">The pool asked for; empty when any will do.</param>
/// <param name="IsSatisfiable">Some worker that is not leaving offers what is asked.</param>
public sealed record PlatformSnapshot(
    string Pool, Platform Platform, int Queued, int Leased, int Running, DateTimeOffset? OldestQueuedAt, bool IsSatisfiable);
