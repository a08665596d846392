namespace RemoteExec.Worker;

/// <summary>Where an attempt stands.</summary>
internal enum Stage
{
    /// <summary>It has no directory yet: nothing of the action has been looked at.</summary>
    Prepare,

    /// <summary>Its inputs are read, fetched and put in place.</summary>
    Bring,

    /// <summary>Its command runs.</summary>
    Run,

    /// <summary>What it left is checked, stored and uploaded.</summary>
    Take,
}
