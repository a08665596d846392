namespace RemoteExec.Observability;

/// <summary>Where a server process stands between its start and its end.</summary>
public enum ServerPhase
{
    Starting,
    Ready,

    /// <summary>Finishes what it has; clients should go elsewhere.</summary>
    Draining,
}
