using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>What the use log of the last run tells about it.</summary>
/// <param name="LastUseMs">The last recorded use of each blob.</param>
/// <param name="Ending">How far the log can be trusted.</param>
internal sealed record UseHistory(IReadOnlyDictionary<Digest, long> LastUseMs, UseLogEnding Ending);

internal enum UseLogEnding
{
    /// <summary>No log, a torn one, or the machine went down under it: later uses may be lost.</summary>
    Unknown,

    /// <summary>The process ended without closing, the kernel kept what was written: exact to the granularity.</summary>
    Killed,

    /// <summary>Closed in order: exact.</summary>
    Closed,
}
