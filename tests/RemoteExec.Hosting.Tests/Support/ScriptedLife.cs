namespace RemoteExec.Hosting.Tests;

/// <summary>What the program of the tests does with its life.</summary>
internal enum ScriptedLife
{
    /// <summary>Works until it is told to stop, then says that it drained.</summary>
    Serve,

    /// <summary>Cannot even be composed, for a reason that has a remedy.</summary>
    RefuseToStart,

    /// <summary>Waits in its start until it is told to stop.</summary>
    StartForEver,

    /// <summary>Fails while it works, for a reason that has a remedy.</summary>
    Fail,

    /// <summary>Is told to stop and never does.</summary>
    DrainForEver,

    /// <summary>The same, and says when it is asked to hurry.</summary>
    HurryForEver,

    /// <summary>Tells of a failure through the runtime's own channel, then serves.</summary>
    Trace,

    /// <summary>Names the sockets that it was given, and what a child of its own has of the first; then serves.</summary>
    ShowSockets,

    /// <summary>Logs more than anybody reads, says so, logs one line more when it is told to, then serves.</summary>
    Flood,
}
