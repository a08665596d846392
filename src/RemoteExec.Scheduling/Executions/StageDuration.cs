namespace RemoteExec.Scheduling;

/// <summary>A worker's stage (<c>fetch</c>, <c>setup</c>, <c>run</c>, <c>upload</c>, <c>report</c>) and its duration.</summary>
public readonly record struct StageDuration(string Stage, TimeSpan Duration);
