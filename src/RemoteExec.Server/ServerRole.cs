namespace RemoteExec.Server;

/// <summary>A part that one process can play.</summary>
internal enum ServerRole
{
    /// <summary>Every part: what a single machine wants.</summary>
    All,

    /// <summary>Takes actions and leases them to workers.</summary>
    Coordinator,

    /// <summary>Keeps blobs and action results.</summary>
    Storage,

    /// <summary>Runs actions in this process.</summary>
    Worker,
}
