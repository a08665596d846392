namespace RemoteExec.Scheduling;

/// <summary>In which situation an attempt ended; the columns of <see cref="BlameRules"/>.</summary>
internal enum AttemptEnd
{
    /// <summary>Its worker reported.</summary>
    Reported,

    /// <summary>Its worker reported, on the way out.</summary>
    ReportedLeaving,

    /// <summary>Nobody will report any more: the worker is silent, gone, or back without it.</summary>
    Lost,

    /// <summary>Given back unfinished, in good order.</summary>
    HandedBack,

    /// <summary>Given back unfinished by a worker that leaves.</summary>
    HandedBackLeaving,
}
