namespace RemoteExec.Worker;

internal enum LeaseState
{
    /// <summary>Also while it is being stopped: something of it may still live.</summary>
    Running,

    /// <summary>It is over, and the coordinator has not answered its report.</summary>
    Owed,

    /// <summary>It is dead and was not finished: the worker leaves.</summary>
    Returned,
}
