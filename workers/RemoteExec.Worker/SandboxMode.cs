namespace RemoteExec.Worker;

/// <summary>What to do when this kernel cannot build every wall.</summary>
public enum SandboxMode
{
    /// <summary>Refuse to start.</summary>
    Required,

    /// <summary>Run behind the walls that stand, and say which do not.</summary>
    Degrade,

    /// <summary>Run actions as plain processes of this user. Only for actions that are trusted like the worker itself.</summary>
    Off,
}
