namespace RemoteExec.Fuzz;

/// <summary>Every parser that reads what a stranger, a disk or another process wrote.</summary>
internal static class FuzzTargets
{
    public static IReadOnlyList<FuzzTarget> All { get; } = [.. WireTargets.All, .. TextTargets.All, .. FileTargets.All, .. ArchiveTargets.All];
}
