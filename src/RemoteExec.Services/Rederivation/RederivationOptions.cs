namespace RemoteExec.Services;

/// <summary>How far this server goes to make lost inputs again.</summary>
public sealed record RederivationOptions
{
    /// <summary>
    /// How many actions deep: the producer of a lost input may lack inputs itself. A chain of builds is rarely deeper between two losses; 0
    /// makes nothing again.
    /// </summary>
    public int DepthMax { get; init; } = 8;

    /// <summary>Actions that run for one request. Beyond that its client has most of them wrong, and is quicker to make all anew.</summary>
    public int ActionsMax { get; init; } = 64;

    /// <summary>Actions that run for all requests at the same time; the others wait. They take slots from what clients asked for.</summary>
    public int RunningMax { get; init; } = 32;
}
