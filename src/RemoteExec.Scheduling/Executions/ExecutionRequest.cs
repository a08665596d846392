using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>What a client asks for: REAPI's ExecuteRequest after validation, with the parts of Action that placement needs.</summary>
public sealed record ExecutionRequest
{
    public required InstanceName Instance { get; init; }

    public required Digest Action { get; init; }

    public Platform Platform { get; init; } = Platform.Empty;

    /// <summary>REAPI ExecutionPolicy.priority: lower runs sooner, 0 is the default, negative is allowed.</summary>
    public int Priority { get; init; }

    /// <summary>
    /// REAPI ResultsCachePolicy.priority: lower is kept longer, 0 is the default, negative is allowed. Of those who share a run the lowest counts. Not journalled: after a
    /// restart it is 0.
    /// </summary>
    public int ResultPriority { get; init; }

    /// <summary>How long the command may run: the action's own timeout, or the server's default.</summary>
    public TimeSpan Timeout { get; init; }

    /// <summary>Merge only with a run that starts after this request (REAPI ExecuteRequest.skip_cache_lookup).</summary>
    public bool SkipCacheLookup { get; init; }

    /// <summary>Never merge, never store the result (REAPI Action.do_not_cache).</summary>
    public bool DoNotCache { get; init; }

    /// <summary>No client asks, but somebody who makes lost inputs again, and who sees to it himself when this lacks some in turn. Not journalled.</summary>
    public bool IsRerun { get; init; }

    public RequestOrigin Origin { get; init; } = RequestOrigin.Unknown;

    /// <summary>The command in one line for people; empty when nobody read it.</summary>
    public string CommandLine { get; init; } = "";
}
